"""What a reader need not see to learn is one line of the page, which opens: set-up, drawing, glue, solutions.

They are ``<details>``, so they open and close without a script, and print as they are. The line says what is inside.
"""

from itertools import takewhile

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import solution_node

SET_UP = {"parameters", "set-up"}


class fold(nodes.Element):
    """What opens; its first child is a ``summary``."""


class summary(nodes.TextElement):
    """The line that opens it."""


def folded(kind, line, *content, **attributes):
    """A fold of the class ``kind``; ``line`` is text or a list of nodes."""
    line = [nodes.Text(line)] if isinstance(line, str) else line
    return fold("", summary("", "", *line), *content, classes=[kind], **attributes)


def cells(document):
    """The code cells of a notebook, each with its tags."""
    found = [node for node in document.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    return [(cell, set(cell["cell_metadata"].get("tags", ()))) for cell in found]


def part(cell, element):
    """The source or the output of a code cell, or None."""
    return next((node for node in cell.children if node.get("nb_element") == element), None)


class FoldCells(SphinxTransform):
    """Set-up is one line; code that draws or glues opens below what it shows."""

    default_priority = 800

    def apply(self, **_):
        found = cells(self.document)
        set_up = [cell for cell, tags in found if tags & SET_UP]
        if set_up:
            where, place = set_up[0].parent, set_up[0].parent.index(set_up[0])
            for cell in set_up:
                cell.parent.remove(cell)
            where.insert(place, folded("set-up", "Set-up: parameters and imports", *set_up))
        for cell, tags in found:
            if "hide-input" in tags:
                cell.attributes.pop("hide_mode", None)  # by which MyST-NB would fold it, in words of its own
                code = part(cell, "cell_code_source")
                cell.remove(code)
                cell += folded("code", _what_it_does(cell), code)
                if part(cell, "cell_code_output") is None:
                    _move_below_verdicts(cell)


def _move_below_verdicts(cell):
    """Between an equation's code and its verdict stands nothing that shows nothing."""
    rest = cell.parent[cell.parent.index(cell) + 1 :]
    verdicts = list(takewhile(lambda node: "verdict" in node.get("classes", ()), rest))
    if verdicts:
        parent = cell.parent
        parent.remove(cell)
        parent.insert(parent.index(verdicts[-1]) + 1, cell)


def _what_it_does(cell):
    output = part(cell, "cell_code_output")
    if output is None:  # what is glued has been taken out
        return "Where the numbers come from"
    figure = any("book-figure" in raw.astext() for raw in output.findall(nodes.raw))
    return "How it is drawn" if figure else "The code"


class FoldSolutions(SphinxPostTransform):
    """After sphinx-exercise has given them their titles."""

    default_priority = 23

    def run(self, **_):
        for node in list(self.document.findall(solution_node)):
            title, *content = node.children
            solution = folded("solution", title.astext(), ids=node["ids"])
            node.parent.replace(node, solution)
            solution += content


def visit_fold(self, node):
    self.body.append(self.starttag(node, "details"))


def depart_fold(self, _):
    self.body.append("</details>\n")


def visit_summary(self, node):
    self.body.append(self.starttag(node, "summary", ""))


def depart_summary(self, _):
    self.body.append("</summary>\n")


def setup(app):
    app.add_node(fold, html=(visit_fold, depart_fold))
    app.add_node(summary, html=(visit_summary, depart_summary))
    app.add_transform(FoldCells)
    app.add_post_transform(FoldSolutions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
