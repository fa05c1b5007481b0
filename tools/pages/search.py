"""What the search knows: the text of all sections, in a script, since a page opened from a disk cannot fetch another.

Sphinx' own search lists pages and fetches each for a line of its text; in its place comes ``search.js`` of this folder.
"""

import json
import re
import shutil
from pathlib import Path

import contents

from helpers import files
from pages.previews import read

REPLACED = ("searchtools.js", "language_data.js")
NO_SCRIPT = """<noscript><p>The search needs JavaScript, which this browser has switched off. Without it, the
<a href="#pst-primary-sidebar">contents of the book</a> lead to every page, and the
<a href="appendix/glossary.html">glossary</a> to where its terms are explained.</p></noscript>"""
SKIPPED = "pre, script, style, svg, .headerlink, .provenance, .eqno, summary, .cell_input"


def write(site):
    """Write ``search-index.js`` for the built pages in the folder ``site``, and let their search use it."""
    pages = [page for page in sorted(site.rglob("*.html")) if page.stem != "index"]
    tables = [site / f"{name}.html" for name in contents.GENERATED]
    found = [[*row, page in tables] for page in pages for row in sections(site, page)]
    files.write(site / "search-index.js", f"var bookSections = {json.dumps(found, ensure_ascii=False)};\n")
    shutil.copyfile(Path(__file__).with_suffix(".js"), site / "search.js")
    page = site / "search.html"
    html = re.sub(
        r'\s*<script src="(_static/(searchtools|language_data)|searchindex)\.js[^>]*></script>', "", page.read_text()
    )
    html = re.sub(r"<noscript>\s*<div class=.admonition.*?</noscript>", NO_SCRIPT, html, flags=re.DOTALL)
    scripts = "".join(f'<script src="{name}.js"></script>\n' for name in ("search-index", "search"))
    page.write_text(html.replace("</body>", f"{scripts}</body>"))
    for name in REPLACED:
        (site / "_static" / name).unlink(missing_ok=True)
    (site / "searchindex.js").unlink(missing_ok=True)


def sections(site, path):
    """Address, heading, page and text of the sections of a page, of the terms it explains, and of its references."""
    page, name = read(path), path.relative_to(site).as_posix()
    article = page.select_one("article")
    if not article:
        return
    for node in article.select(SKIPPED):
        node.decompose()
    title = text(article.h1)
    for term in article.select("dt[id]"):
        yield [f"{name}#{term['id']}", text(term), title, text(term.find_next_sibling("dd").extract())]
        term.extract()
    for reference in article.select("div.citation[id]"):
        label = text(reference.select_one(".label").extract()).strip("[]")
        yield [f"{name}#{reference['id']}", label, title, text(reference.extract())]
    # From the last to the first, so that what lies within another section has been taken from it.
    rows = []
    for section in reversed(article.select("section:has(> :is(h1, h2, h3, h4))")):
        section.extract()
        heading = text(section.find(re.compile("h[1-4]")).extract())
        rows.append([f"{name}#{section['id']}", heading, title, text(section)])
    yield from reversed(rows)


def text(node):
    """The words of a node, with single spaces; of a formula, what screen readers are given, in one line."""
    for formula in node.select("mjx-container"):
        words = formula.select_one("mjx-assistive-mml")
        formula.replace_with(linear(words).replace("\N{FUNCTION APPLICATION}", "") if words else "")
    return " ".join(node.get_text(" " if node.name == "tr" else "").split())


JOINED = {"mfrac": "{}/{}", "msup": "{}^{}", "msub": "{}_{}", "msubsup": "{}_{}^{}", "msqrt": "√{}"}


def linear(node):
    """A formula's MathML in a line of text, with brackets around what stands above, below or under something."""
    if isinstance(node, str):
        return node.strip()
    parts = [linear(child) for child in node.children]
    if node.name == "msqrt":
        parts = ["".join(parts)]
    if node.name not in JOINED:
        return "".join(parts)
    return JOINED[node.name].format(*(part if len(part) < 2 or part.isalnum() else f"({part})" for part in parts))
