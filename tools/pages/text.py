"""What makes text good to read: punctuation that stays with its formula, proofs that end, columns of numbers, ids."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_proof.nodes import proof_node

BEFORE = re.compile(r"[(\[“‘—-]+$")  # what belongs to the formula that follows
AFTER = re.compile(r"(?:\w{1,3}\b)?[^\w\s]*")  # and to the one before: its full stop, or as much as ``th`` and ``’s``
NUMBER = re.compile(
    r"[<>≈~]?\s?[+−-]?\d[\d.,]*(e[+−-]?\d+)?(\s*[±×:–/]\s*\d[\d.,]*)*([\s\N{NO-BREAK SPACE}]*(%|[A-Za-z]{1,5}))?"
)
PLACEHOLDERS = {"exercise-content", "solution-content", "proof-content", "proof"}  # the same ones on every box


class KeepPunctuation(SphinxPostTransform):
    """No line breaks between a formula and the punctuation around it: a formula is a box, to a browser."""

    default_priority = 900

    def run(self, **_):
        for formula in list(self.document.findall(nodes.math)):
            parent, place = formula.parent, formula.parent.index(formula)
            kept = [formula]
            if place + 1 < len(parent) and isinstance(parent[place + 1], nodes.Text):
                text = str(parent[place + 1])
                end = AFTER.match(text).end()
                kept += [nodes.Text(text[:end])] * bool(end)
                parent[place + 1] = nodes.Text(text[end:])
            if place and isinstance(parent[place - 1], nodes.Text) and (found := BEFORE.search(str(parent[place - 1]))):
                parent[place - 1] = nodes.Text(found.string[: found.start()])
                kept.insert(0, nodes.Text(found[0]))
            if len(kept) > 1:
                parent[place] = nodes.inline("", "", *kept, classes=["kept"])


class EndProofs(SphinxPostTransform):
    """A proof begins with a word that stands out, and ends with a mark at the end of its last line."""

    default_priority = 900

    def run(self, **_):
        for proof in self.document.findall(proof_node):
            first, last = proof[-1][0], proof[-1][-1]
            if first.children and first[0].astext().startswith("Proof. "):
                first[0] = nodes.Text(first[0].astext().removeprefix("Proof."))
                first.insert(0, nodes.strong("", "Proof."))
            if not isinstance(last, nodes.paragraph):
                last = nodes.paragraph()
                proof[-1] += last
            proof[-1]["classes"].append("proof-of")
            last += nodes.inline("", "\N{NO-BREAK SPACE}∎", classes=["qed"])


class AlignNumbers(SphinxPostTransform):
    """Columns of numbers are told from columns of words, the heading with the rest."""

    default_priority = 900

    def run(self, **_):
        for table in self.document.findall(nodes.table):
            for column in zip(*table.findall(nodes.row), strict=False):
                if is_numeric([entry for entry in column if not isinstance(entry.parent.parent, nodes.thead)]):
                    for entry in column:
                        entry["classes"].append("number")


def is_numeric(entries):
    """Whether the cells of a column are numbers; a few may be empty or say why there is none."""
    texts = [entry.astext().strip() for entry in entries if not list(entry.findall(nodes.literal))]
    numbers = sum(NUMBER.fullmatch(text) is not None for text in texts)
    return 2 * numbers > len(entries) and all(len(text) < 20 for text in texts)


class NameOnce(SphinxPostTransform):
    """An id is the name of one thing; what the extensions write into each of their boxes names none."""

    default_priority = 900

    def run(self, **_):
        for node in self.document.findall(nodes.Element):
            if PLACEHOLDERS.intersection(node.get("ids", ())):
                node["ids"] = [id for id in node["ids"] if id not in PLACEHOLDERS]


def setup(app):
    for transform in (KeepPunctuation, EndProofs, AlignNumbers, NameOnce):
        app.add_post_transform(transform)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
