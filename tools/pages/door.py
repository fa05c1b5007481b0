"""What the front page says of the book, counted when the book is built, and what each page says of itself to others.

- ``{verified}`book` `` stands for how many equations were verified, in all of it or in the part of that name,
  ``{part}`Part III: graphs` `` for the facts of a part: its chapters, how long they take to read, where to start.
- The head of a page holds its description, and what a link to it looks like elsewhere: title, words and picture.
"""

import html
import json
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode
from sphinx_exercise.nodes import solution_node

from labels import claims

PACE = 130  # words a minute, of a text with formulas that one stops at
PREVIEW = "_static/preview.png"
UNREAD = (nodes.literal_block, nodes.raw, nodes.comment, solution_node)  # code, outputs and what is folded
logger = logging.getLogger(__name__)


class Fact(nodes.inline):
    """Stands where a fact will, once all pages have been read."""


class Role(SphinxRole):
    def run(self):
        fact = Fact("", kind=self.name, of=self.text)
        self.set_source_info(fact)
        return [fact], []


def parts(site_map):
    """The chapters of each part of the contents that is called one: ``{caption: [page, …]}``."""
    trees = site_map.root.subtrees
    return {tree.caption: tree.files() for tree in trees if (tree.caption or "").startswith("Part ")}


def verified(srcdir, pages=None):
    """How many claims the staged notebooks verified, all of them or those of these pages."""
    paths = Path(srcdir).rglob("*.ipynb") if pages is None else [Path(srcdir) / f"{page}.ipynb" for page in pages]
    return sum(1 for path in paths if path.exists() for _ in claims(json.loads(path.read_text())))


def words(node):
    """How many words there are to read; a formula is one."""
    if isinstance(node, UNREAD):
        return 0
    if isinstance(node, nodes.math | nodes.math_block):
        return 1
    return len(node.split()) if isinstance(node, nodes.Text) else sum(map(words, node.children))


def reading_time(count):
    """The time that so many words take, in words: "about 25 minutes", "about 2½ hours"."""
    minutes = count / PACE
    if minutes < 55:
        return f"about {max(5, 5 * round(minutes / 5))} minutes"
    halves = round(minutes / 30)
    return f"about {halves // 2 or ''}{'½' * (halves % 2)} hour{'s' * (halves > 2)}"


def resolve(app, doctree, page):
    """Put the facts in their places."""
    there = parts(app.env.external_site_map)
    for fact in list(doctree.findall(Fact)):
        kind, of = fact["kind"], fact["of"]
        if of not in there and (kind, of) != ("verified", "book"):
            expected = ", ".join(there) or "none"
            logger.warning("no part of the contents is called %r; there is %s", of, expected, location=fact)
            fact.replace_self([])
        elif kind == "verified":
            fact.replace_self(nodes.Text(str(verified(app.srcdir, there.get(of)))))
        else:
            fact.replace_self(told(app, page, there[of]))


def told(app, page, chapters):
    """The facts of a part with these chapters, and the link to the first."""
    count = sum(words(app.env.get_doctree(chapter)) for chapter in chapters)
    plural = "s" * (len(chapters) > 1)
    facts = f"{len(chapters)} chapter{plural}, {reading_time(count)} to read, "
    facts += f"{verified(app.srcdir, chapters)} equations verified"
    title = app.env.titles[chapters[0]].astext()
    link = make_refnode(app.builder, page, chapters[0], None, nodes.Text(f"Start here: {title}"))
    return [nodes.inline("", facts, classes=["door-facts"]), nodes.Text(" "), link]


def describe(app, page, template, context, doctree):
    """Give the head of a page its title, its description, and what a link to it looks like elsewhere."""
    if doctree is None:
        return
    book, title = app.config.html_title, app.env.titles[page].astext()
    root = page == app.config.root_doc
    if root:
        context["title"] = title = f"{book}: {app.config.book_subtitle}"
        context["docstitle"] = ""  # the name of the book is the title already
        context["meta"] = {**(context.get("meta") or {}), "html_theme.sidebar_secondary.remove": "true"}
    text = description(doctree)
    picture = context["pathto"](PREVIEW, 1)
    told = {"description": text, "twitter:card": "summary_large_image"}
    shown = {"og:type": "website" if root else "article", "og:site_name": book, "og:title": title}
    shown |= {"og:description": text, "og:image": picture, "og:image:alt": f"The front page of {book}"}
    lines = [f'<meta name="{name}" content="{html.escape(value)}" />' for name, value in told.items() if value]
    lines += [f'<meta property="{name}" content="{html.escape(value)}" />' for name, value in shown.items() if value]
    context["metatags"] = context.get("metatags", "") + "\n" + "\n".join(lines)


def description(doctree, most=200):
    """The first sentences of a page that say something without a formula, cut between words."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 60 and not any(paragraph.findall(nodes.math)):
            return text if len(text) <= most else text[:most].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return ""


def setup(app):
    app.add_config_value("book_subtitle", "", "html")
    app.add_node(Fact)
    app.add_role("part", Role())
    app.add_role("verified", Role())
    app.connect("doctree-resolved", resolve)
    app.connect("html-page-context", describe, priority=900)  # after those who fill in the context
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
