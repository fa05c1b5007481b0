"""Finish a built site: tidy.py SITE

- The MathJax extension copies all of MathJax, 24 MB; the pages load one bundle, its fonts and, for some commands, the
  extensions of its TeX parser. The rest goes.
- Sphinx calls the bibliography a list but not its entries list items, which misleads screen readers; and what opens
  the pages below an entry of the contents has no name for them.
"""

import re
import shutil
import sys
from pathlib import Path

TOGGLE = re.compile(r'(<a class="[^"]*reference internal" href="[^"]*">([^<]*)</a><details[^>]*>)<summary>')
KEPT = ("tex-chtml.js", "output/chtml/fonts", "input/tex/extensions")


def main(site):
    mathjax = site / "_static" / "mathjax"
    whole = mathjax.rename(mathjax.with_name("mathjax-whole"))
    for part in KEPT:
        (mathjax / part).parent.mkdir(parents=True, exist_ok=True)
        (whole / part).rename(mathjax / part)
    shutil.rmtree(whole)
    for page in site.rglob("*.html"):
        text = page.read_text()
        mended = text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
        mended = TOGGLE.sub(lambda found: f'{found[1]}<summary aria-label="{_attribute(found[2])}">', mended)
        if mended != text:
            page.write_text(mended)


def _attribute(title):
    """What opens the pages below an entry of the contents, in the words that stand between quotation marks."""
    return f"Pages of {title}".replace('"', "&quot;")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
