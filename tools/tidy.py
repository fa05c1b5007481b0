"""Finish a built site: tidy.py SITE

- It loads no more than its pages use: pages/weight.py.
- Sphinx calls the bibliography a list but not its entries list items, which misleads screen readers.
"""

import sys
from pathlib import Path

from pages.weight import lighten


def main(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        if '<div role="list" class="citation-list">' in text:
            page.write_text(text.replace('<div role="list" class="citation-list">', '<div class="citation-list">'))
    lighten(site)  # last: it looks at what the pages have become


if __name__ == "__main__":
    main(Path(sys.argv[1]))
