"""Finish a built site: tidy.py SITE

- The MathJax extension copies all of MathJax, 24 MB; the pages load one bundle, its fonts and, for some commands, the
  extensions of its TeX parser. The rest goes.
- Sphinx calls the bibliography a list but not its entries list items, which misleads screen readers.
"""

import shutil
import sys
from pathlib import Path

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
        if '<div role="list" class="citation-list">' in text:
            page.write_text(text.replace('<div role="list" class="citation-list">', '<div class="citation-list">'))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
