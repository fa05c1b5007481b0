"""One style sheet for the whole book, with the rules that some page can use.

The theme, its extensions and MathJax bring 600 KB of rules, in a dozen files that hold up the first paint. A rule stays
when every tag, class and id that its selector names stands in a page, or in a script, which may give it to an element.
"""

import re
from typing import NamedTuple

import tinycss2
from lxml import html

NESTING = {"media", "supports", "layer"}
# What the theme draws with letters of Font Awesome. icons.css draws what the pages show of it.
ICON = re.compile(r"--fa-|--pst-icon|Font\\? ?Awesome|[\"'](?:\\f[0-9a-f]{3}|[\uf000-\uf8ff])[\"']")


class Names(NamedTuple):
    """What is there for selectors to name."""

    tags: set
    classes: set
    ids: set

    def add_page(self, text):
        for element in html.document_fromstring(text).iter("*"):
            self.tags.add(element.tag)
            self.classes.update(element.get("class", "").split())
            self.ids.add(element.get("id"))

    def add_script(self, text):
        """Any word of a string may be a class, a tag or an id that the script makes."""
        for string in re.findall(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`]*`", text):
            for names in self:
                names.update(re.findall(r"[A-Za-z][\w-]*", string))


def pruned(css, names, text):
    """What can be of use of the style sheet ``css``, without idle space; ``text`` may use its variables, too."""
    sheet = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    variables, before = None, None
    while variables is None or variables != before:  # a variable may have been of use to another one alone
        before, rules = variables, [*_rules(sheet, names, variables)]
        variables = set(re.findall(r"var\(\s*(--[\w-]+)", "".join(rules) + text))
    return "".join(_without_idle_names(rules))


def _rules(nodes, names, variables):
    """The rules that may match something, each as text."""
    for node in nodes:
        if node.type == "error" or node.content is None:  # nothing that a browser could read, @charset, @import
            continue
        if node.type == "qualified-rule":
            head = ",".join(_text(selector) for selector in _split(node.prelude) if _may_match(selector, names))
            body = ";".join(_declarations(node.content, variables))
        else:
            head = f"@{node.at_keyword} {_text(node.prelude)}"
            if node.lower_at_keyword in NESTING:
                body = "".join(_rules(tinycss2.parse_rule_list(node.content, True, True), names, variables))
            else:  # @font-face, @keyframes, @page
                body = _text(node.content)
        if head and body:
            yield f"{head}{{{body}}}"


def _declarations(content, variables):
    for node in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        idle = variables is not None and node.type == "declaration" and node.name.startswith("--")
        if node.type == "declaration" and not (idle and node.name not in variables):
            text = f"{node.name}:{_text(node.value)}{'!important' * node.important}"
            if not ICON.search(text):
                yield text


def _split(tokens):
    """The selectors of a list."""
    selectors = [[]]
    for token in tokens:
        if token == ",":
            selectors.append([])
        else:
            selectors[-1].append(token)
    return selectors


def _may_match(selector, names):
    """Whether all that is named outside of parentheses and brackets is there."""
    before = None
    for token in selector:
        there = names.ids if token.type == "hash" else names.classes if before == "." else names.tags
        if (token.type == "hash" or (token.type == "ident" and before != ":")) and token.value not in there:
            return False
        before = token.value if token.type == "literal" else None
    return True


def _text(tokens):
    text = tinycss2.serialize([token for token in tokens if token.type != "comment"])
    return re.sub(r"\s+", " ", text).strip()


def _without_idle_names(rules):
    """The rules, without the fonts and the animations that no other rule names."""
    others = "".join(rule for rule in rules if not re.match(r"@font-face|@[\w-]*keyframes", rule))
    named = " ".join(re.findall(r"(?:font|animation)[\w-]*:[^;{}]*", others))
    for rule in rules:
        name = re.match(r"@font-face \{.*?font-family: ?[\"']?([^;\"']+)|@[\w-]*keyframes ([\w-]+)", rule)
        if name is None or re.search(rf"(?<![\w-]){re.escape(name[1] or name[2])}(?![\w-])", named):
            yield rule
