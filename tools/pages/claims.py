"""A claim is one line of the page: a tick, the number of its equation, against what it was held, and how well it did.

The line opens to the code of the check. A tick beside the equation's number leads there; the target lies inside of what
opens, so a browser opens it on the way.
"""

import re
from html import escape

from docutils import nodes
from docutils.nodes import make_id
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from helpers.verify import METADATA_KEY as CLAIM  # also of the metadata of a cell, where the stage puts it
from pages.folds import cells, folded, part, summary


def found(claim):
    """What a check found, in words: against what, on how many cases, and with which largest error, if numbers met."""
    cases = f"{claim['cases']} case{'s' * (claim['cases'] > 1)}"
    error = f", largest error {_short(claim['error'])}" if "error" in claim else ""
    return f"against {claim['against']}, {cases}{error}".replace("'", "’")


def _short(error):
    return f"{error:.0e}".replace("e-0", "e-") if error else "0"


class DrawVerdicts(SphinxTransform):
    """In the place of each check comes its verdict."""

    default_priority = 790

    def apply(self, **_):
        for cell, _ in cells(self.document):
            if claim := cell["cell_metadata"].get(CLAIM):
                cell.remove(part(cell, "cell_code_output"))  # it says the same
                line = [nodes.Text("✓ "), self.number(claim["label"]), nodes.Text(f" {found(claim)}")]
                verdict = folded("verdict", line, **{CLAIM: claim})
                cell.parent.replace(cell, verdict)
                verdict += cell
                cell["ids"].append(f"check-{make_id(claim['label'])}")

    def number(self, label):
        where = {"refdoc": self.env.docname, "refdomain": "math", "reftype": "eq", "reftarget": label}
        return addnodes.pending_xref("", nodes.inline("", label), refwarn=True, refexplicit=False, **where)


class UnlinkNumbers(SphinxPostTransform):
    """The whole line opens the check: the number in it is text, when Sphinx has found it."""

    default_priority = 20

    def run(self, **_):
        for line in self.document.findall(summary):
            for link in list(line.findall(nodes.reference)):
                link.replace_self(nodes.Text(link.astext()))


def set_ticks(app, page, template, context, document):
    """Beside the number of each equation that was verified, a tick leads to the check."""
    for verdict in document.findall(lambda node: CLAIM in getattr(node, "attributes", ())) if document else ():
        claim, id = verdict[CLAIM], make_id(verdict[CLAIM]["label"])

        def tick(match, claim=claim, id=id):
            words = f'title="{escape(found(claim))}" aria-label="Equation {match[2]} was verified: see how"'
            return f'{match[0]}<a class="verified" href="#check-{id}" {words}>✓</a>'

        number = rf'(\bid="equation-{id}".*?<span class="eqno">)([^<]*)'
        context["body"] = re.sub(number, tick, context["body"], count=1, flags=re.DOTALL)


def setup(app):
    app.add_transform(DrawVerdicts)
    app.add_post_transform(UnlinkNumbers)
    app.connect("html-page-context", set_ticks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
