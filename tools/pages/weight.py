"""What the built pages load, made light: one style sheet, no script or file that no page needs."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urldefrag

from pages.sheet import Names, pruned

SHEET = re.compile(r'\s*<link\b[^>]*\bhref="([^"]*?\.css)[^"]*"[^>]*/?>')
SCRIPT = re.compile(r'\s*<script\b[^>]*\bsrc="([^"?]*)[^"]*"[^>]*></script>')
# The state of widgets, for a manager of theirs that the pages do not have; scripts that are loaded in a moment anyway.
IDLE = re.compile(
    r'\s*<script type="application/vnd\.jupyter\.widget-state.*?</script>|\s*<link rel="preload"[^>]*>', re.DOTALL
)
ICON = re.compile(r'class="([^"]*?)\bfa(?:-solid|s) fa-([\w-]+)[^"]*"')
# Scripts, and classes that they work on: a page that has none of these does without them.
WORKS_ON = {
    "design-tabs.js": {"sd-tab-set"},
    "copybutton.js": {"highlight"},
    "clipboard.min.js": {"highlight"},
    "fontawesome.js": set(),  # 1.5 MB for a dozen icons, which icons.css draws
}
# What bootstrap.js gives to what the pages have of it: tooltips, menus and the contents that follow the reader. It
# speaks of much more.
BOOTSTRAP = "'active show fade tooltip tooltip-inner tooltip-arrow bs-tooltip-auto'"


def lighten(site):
    """Rewrite the pages of ``site`` and take away what they no longer load."""
    static = site / "_static"
    pages = {page: page.read_text() for page in site.rglob("*.html") if not page.is_relative_to(static)}
    sheets = _in_order(pages)
    pages = {page: _lightened(text) for page, text in pages.items()}
    scripts = {path for page, text in pages.items() for path in _paths(page, SCRIPT, text)}
    names = Names(set(), set(), set())
    for text in pages.values():
        names.add_page(text)
    code = {path: path.read_text() if path.name != "bootstrap.js" else BOOTSTRAP for path in scripts}
    for path, text in code.items():
        if "index" not in path.name:  # a search's index: words of the text
            names.add_script(text)
    css = "\n".join(_moved(path, static) for path in sheets)
    css = pruned(css, names, "".join([*pages.values(), *code.values()]))
    sheet = static / f"book-{hashlib.sha256(css.encode()).hexdigest()[:8]}.css"
    sheet.write_text(css)
    for page, text in pages.items():
        up = "../" * (len(page.relative_to(site).parts) - 1)
        page.write_text(
            text.replace("</title>", f'</title>\n<link rel="stylesheet" href="{up}_static/{sheet.name}" />', 1)
        )
    _clear(site, "".join([*pages.values(), css, *code.values()]) + sheet.name)


def _in_order(pages):
    """The style sheets of all pages, each after those that stand before it in some page."""
    return list(dict.fromkeys(path for page, text in pages.items() for path in _paths(page, SHEET, text)))


def _paths(page, pattern, text):
    return [(page.parent / path).resolve() for path in pattern.findall(text) if ":" not in path]


def _lightened(text):
    classes = set(" ".join(re.findall(r'class="([^"]*)"', text)).split())
    text = IDLE.sub("", SHEET.sub("", ICON.sub(r'class="\1book-icon book-icon-\2"', text)))

    def needed(script):
        works_on = WORKS_ON.get(Path(script[1]).name)
        return script[0] if works_on is None or classes & works_on else ""

    return SCRIPT.sub(needed, text)


def _moved(path, static):
    """A style sheet as if it stood in ``static``, with those that it imports."""

    def moved(url):
        target = url[1].strip("\"'")
        if re.match(r"data:|#", target):
            return url[0]
        return f"url({(path.parent / urldefrag(target)[0]).resolve().relative_to(static.resolve())})"

    text = re.sub(r"url\((\"[^\"]*\"|'[^']*'|[^)\"']*)\)", moved, path.read_text())
    return re.sub(r'@import "([^"]+)";', lambda imported: _moved(path.parent / imported[1], static), text)


def _clear(site, text):
    """Remove what nobody can ask for: what no page, script or style sheet, all of which are ``text``, names."""
    for folder, said in (("_static", ""), ("_sources", "_sources/")):  # style sheets name the files beside them
        for path in sorted((site / folder).rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.suffix == ".map" or f"{said}{path.relative_to(site / folder).as_posix()}" not in text:
                path.unlink()
