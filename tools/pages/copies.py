"""At the first exercise of a page a line offers the page as a notebook without the solutions, to work in.

The link is to the notebook itself; ``_static/copies.js`` saves it also where the page is opened from the disk, by a
script beside the notebook that holds its text. The stage wrote both.
"""

from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx_exercise.nodes import is_exercise_node

FOLDER = "exercises"  # in the stage's folder of extra files, and of the site


class OfferCopies(SphinxTransform):
    default_priority = 810

    def apply(self, **_):
        page = self.env.docname
        first = next(self.document.findall(is_exercise_node), None)
        if first is not None and (Path(self.env.srcdir) / "extra" / FOLDER / f"{page}.ipynb").exists():
            where = first.parent.index(first)
            first.parent.insert(where, nodes.raw("", offer(page), format="html"))


def offer(page):
    name = f"{FOLDER}/{page}.ipynb"
    link = f'<a href="{"../" * page.count("/")}{name}" download>Do it in the notebook</a>'
    how = (
        "It holds this page without its solutions, and runs in a clone of the book: "
        f"<code>make lab</code> opens it there, as <code>{escape(name)}</code>."
    )
    return f'<p class="do-it">{link} <span>{how}</span></p>\n'


def setup(app):
    app.add_transform(OfferCopies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
