"""Take out of a built site what no page loads: prune.py SITE

The MathJax extension copies all of MathJax, 24 MB; the pages load one bundle, its fonts and, for some commands, the
extensions of its TeX parser.
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
