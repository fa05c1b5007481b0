"""Chapters are numbered through all parts of the book, appendices by letters: a Sphinx extension.

Sphinx numbers the equations, theorems and exercises of a page by the number of the page, (3.12), and can number pages,
but begins anew with each part and knows no letters. So this gives out the numbers of pages, and leaves the rest to it.
"""

from itertools import count
from string import ascii_uppercase

from docutils import nodes
from sphinx.addnodes import toctree
from sphinx.environment.collectors.toctree import TocTreeCollector

AFTER_SPHINX = 900  # which asks the same event for the pages to be written anew, with the numbers that it knows of


def number(app, env):
    """Number the chapters, and what stands in them."""
    chapters, appendices = count(1), iter(ascii_uppercase)
    numbered = []
    for part in env.get_doctree(env.config.root_doc).findall(toctree):
        caption = part.get("caption") or ""
        numbers = chapters if caption.startswith("Part ") else appendices if caption == "Appendix" else None
        for page in part["includefiles"] if numbers else ():
            _give(env, page, (next(numbers),))
            numbered.append(page)
    return sorted({*numbered, *TocTreeCollector().assign_figure_numbers(env)})


def _give(env, page, secnumber):
    """Let a page have a number, in its title and wherever the contents are shown, but not its sections."""
    references = [*env.tocs[page].findall(nodes.reference)]
    references[0]["secnumber"] = env.titles[page]["secnumber"] = secnumber
    env.toc_secnumbers[page] = {reference["anchorname"]: () for reference in references} | {"": secnumber}


def setup(app):
    app.connect("env-get-updated", number, priority=AFTER_SPHINX)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
