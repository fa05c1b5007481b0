"""Finish a built site: tidy.py SITE

- Sphinx calls the bibliography a list but not its entries list items, which misleads screen readers.
"""

import sys
from pathlib import Path


def main(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        if '<div role="list" class="citation-list">' in text:
            page.write_text(text.replace('<div role="list" class="citation-list">', '<div class="citation-list">'))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
