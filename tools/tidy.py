"""Finish a built site: tidy.py SITE

- Some roles mislead screen readers, or are missing: a bibliography that is called a list without list items, entries of
  a role that has been given up, a title above the contents that is in no landmark. And what opens the pages below an
  entry of the contents has no name for them.
- The theme's script says light or dark a second late, and not at all where scripts are off: colours and all.
- The theme's buttons open the contents by a script; for who has none, links in their place lead there.
- What links and the search show of other pages is written down, since a page opened from a disk cannot look there.
- It loads no more than its pages use: pages/weight.py.
"""

import re
import sys
from pathlib import Path

from pages import previews, search
from pages.weight import lighten

MENDED = {
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
    'data-theme="auto"': 'data-theme="light"',
    'localStorage.getItem("theme") || "auto"': '((mode) => mode !== "auto" ? mode : '
    'matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")(document.documentElement.dataset.mode)',
    ' class="sidebar-primary-items__start ': ' role="navigation" aria-label="Top" class="sidebar-primary-items__start ',
}
BUTTON = '<button class="sidebar-toggle primary-toggle '
CONTENTS = {"pst-primary-sidebar": "Contents of the book", "pst-secondary-sidebar": "On this page"}
TOGGLE = re.compile(r'(<a class="[^"]*reference internal" href="[^"]*">([^<]*)</a><details[^>]*>)<summary>')


def main(site):
    for page in site.rglob("*.html"):
        text = page.read_text()
        for wrong, right in MENDED.items():
            text = text.replace(wrong, right)
        text = text.replace(BUTTON, without_scripts(text) + BUTTON, 1)
        page.write_text(TOGGLE.sub(lambda found: f'{found[1]}<summary aria-label="{_attribute(found[2])}">', text))
    previews.write(site)
    search.write(site)
    lighten(site)  # last: it looks at what the pages have become


def without_scripts(text):
    """Links to the contents that a page has."""
    links = "".join(f'<a href="#{id}">{words}</a>' for id, words in CONTENTS.items() if f'id="{id}"' in text)
    return f'<noscript><nav class="by-link" aria-label="Contents">{links}</nav></noscript>'


def _attribute(title):
    """What opens the pages below an entry of the contents, in the words that stand between quotation marks."""
    return f"Pages of {title}".replace('"', "&quot;")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
