"""What links to other pages show when a reader looks at them: equations, terms, references, theorems, exercises.

A page opened from a disk cannot fetch another one, so what its links lead to is written into a script, which
``book/_static/previews.js`` loads when it is first needed. What stands on the reader's own page is taken from there.
"""

import json
import posixpath
from urllib.parse import unquote, urldefrag

from bs4 import BeautifulSoup

from helpers import files

TARGETS = "div.math, div.citation, div.proof, div.exercise, dt"  # the selector of previews.js
LEFT_OUT = ".headerlink, .verified, script"


def write(site):
    """Write ``_static/previews-data.js`` for the built pages of the folder ``site``."""
    pages = {page.relative_to(site).as_posix(): read(page) for page in sorted(site.rglob("*.html"))}
    shown = {}
    for name, page in pages.items():
        for link in page.select("article a.internal[href*='#']"):
            target, anchor = urldefrag(unquote(link["href"]))
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else name
            if other != name and other in pages and (preview := taken(pages[other], anchor)):
                shown[f"{other}#{anchor}"] = preview
    files.write(site / "_static" / "previews-data.js", f"bookPreviews({json.dumps(shown, ensure_ascii=False)});\n")


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "lxml")


def taken(page, anchor):
    """The HTML of what has the id ``anchor``, fit to be shown elsewhere: without ids, links or marks; or None."""
    target = page.find(id=anchor)
    target = target and (target if target in page.select(TARGETS) else target.find_parent("dt"))
    if not target:
        return None
    copy = BeautifulSoup("".join(map(str, [target, *explained(target)])), "lxml").body
    for node in copy.select(LEFT_OUT):
        node.decompose()
    for node in copy.find_all(id=True):
        del node["id"]
    for link in copy.find_all("a"):
        link.unwrap()
    return copy.decode_contents().strip()


def explained(term):
    """The definition that follows a term."""
    return term.find_next_siblings("dd", limit=1) if term.name == "dt" else []
