"""Finish a built site: tidy.py SITE

- The MathJax extension copies all of MathJax, 24 MB; the pages load one bundle, its fonts and, for some commands, the
  extensions of its TeX parser. The rest goes.
- Some roles mislead screen readers, or are missing: a bibliography that is called a list without list items, entries of
  a role that has been given up, a title above the contents that is in no landmark.
- What links and the search show of other pages is written down, since a page opened from a disk cannot look there.
"""

import shutil
import sys
from pathlib import Path

from pages import previews, search

MENDED = {
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
    ' class="sidebar-primary-items__start ': ' role="navigation" aria-label="Top" class="sidebar-primary-items__start ',
}
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
        for wrong, right in MENDED.items():
            text = text.replace(wrong, right)
        page.write_text(text)
    previews.write(site)
    search.write(site)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
