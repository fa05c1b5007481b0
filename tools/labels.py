"""Hold the equations of a built site against what was verified when its notebooks ran: labels.py SRC SITE [PAGE]

An equation whose label starts with ``eq-`` asserts something. It must have been verified on its own page, in whatever
way the page spells its label and whatever stands around its check; and what was verified must stand on the page. With
PAGE, that page is looked at alone.
"""

import json
import re
import sys
from pathlib import Path

from docutils.nodes import make_id
from lxml import html

from helpers.verify import METADATA_KEY

STRAY = re.compile(r"\((?:eq|def)-[\w-]+\)", re.IGNORECASE)
PROSE = "//text()[not(ancestor::pre or ancestor::code or ancestor::script or ancestor::style)]"


def equations(page):
    """The ids of a built page's equations with a label ``eq-…``, and labels that the page shows as text."""
    tree = html.parse(str(page))
    ids = {element.get("id") for element in tree.iterfind(".//*[@id]")}
    others = [label for text in tree.xpath(PROSE) for label in STRAY.findall(text)]
    return {name for name in ids if name.startswith("equation-eq-")}, others


def claims(notebook):
    """The claims that an executed notebook verified, in the order of the page, as ``helpers.verify`` wrote them."""
    for cell in notebook["cells"]:
        yield from claims_of(cell)


def claims_of(cell):
    for output in cell.get("outputs", ()):
        if METADATA_KEY in output.get("metadata", {}):
            yield output["metadata"][METADATA_KEY]


def differences(shown, verified):
    """What is wrong, in words, where the equations shown are not those verified: ``{page: {id: label}}`` of both."""
    for page in sorted(shown.keys() | verified.keys()):
        here, checked = shown.get(page, {}), verified.get(page, {})
        for id in sorted(here.keys() - checked.keys()):
            others = [other for other in verified if id in verified[other]]
            but = f", though {others[0]} verified one of that name" if others else ""
            yield f"{page}: the equation {here[id]} was not verified when the page ran{but}"
        for id in sorted(checked.keys() - here.keys()):
            others = [other for other in shown if id in shown[other]]
            but = f": it stands in {others[0]}" if others else ""
            yield f"{page}: {checked[id]} was verified, and no equation of the page has that label{but}"


def main(src, site, only=None):
    shown, verified, wrong = {}, {}, []
    if not (site / "index.html").exists():
        raise SystemExit(f"no pages in {site}: see above")
    for path in sorted(site.rglob("*.html")):
        page = str(path.relative_to(site).with_suffix(""))
        ids, others = equations(path)
        shown[page] = {id: id.removeprefix("equation-") for id in ids}
        wrong += [f"{page}: this label is none of an equation, and unchecked: {text}" for text in others]
    for path in src.rglob("*.ipynb"):
        labels = [claim["label"] for claim in claims(json.loads(path.read_text()))]
        verified[str(path.relative_to(src).with_suffix(""))] = {make_id(f"equation-{name}"): name for name in labels}
    wrong += differences(shown, verified)
    wrong = [line for line in wrong if only is None or line.startswith(f"{only}: ")]
    if wrong:
        hint = "Write an equation that asserts something as $$ … $$ (eq-…) and verify it below; (def-…) is a definition"
        raise SystemExit("\n".join([*wrong, hint]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
