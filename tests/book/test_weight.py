"""What a page asks a reader's browser to load, and that nothing that it needs has been taken away."""

import gzip
from pathlib import Path
from urllib.parse import unquote, urlsplit

import contents

import pytest

from pages.sheet import Names, pruned
from pages.weight import lighten
from visits import PHONE, Visit, every_page, read


@every_page
def test_all_that_a_page_loads_is_less_than_1_8_megabytes(visit, page):
    assert not visit.complaints
    files = {unquote(urlsplit(url).path) for url in visit.requests}
    sizes = {name: Path(name).stat().st_size for name in files if name.startswith("/")}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:4]
    assert len(sizes) > 5
    assert sum(sizes.values()) <= 1.8e6, f"{sum(sizes.values()):,} bytes, most of them {largest}"


@every_page
def test_a_page_is_at_most_200_kilobytes_as_servers_send_it(site, page):
    size = len(gzip.compress((site / f"{page}.html").read_bytes()))
    assert size <= 200_000, f"{size:,} bytes"


@every_page
def test_a_page_waits_for_one_style_sheet_and_has_no_scripts_of_others(site, page):
    head = read(site / f"{page}.html").head
    assert len(head.select("link[rel=stylesheet]")) == 1
    scripts = [script.get("src", "") for script in head.select("script")]
    assert not [name for name in scripts if "mathjax" in name.lower() or "fontawesome" in name]
    assert not head.select("script[type*=widget]")


ICONS = """[...document.querySelectorAll(".book-icon")]
    .map(icon => [icon.className, getComputedStyle(icon, "::before")])
    .map(([name, style]) => [name, style.maskImage, style.content])"""


@every_page
def test_every_icon_is_drawn(visit, page):
    icons = visit.tab.evaluate(ICONS)
    assert len(icons) > 3
    assert not [name for name, mask, content in icons if not mask.startswith("url(") or content != '""']
    assert visit.tab.locator("[class*='fa-']").count() == 0


def test_what_the_theme_does_still_works(browser, site):
    chapter = next(page for page in contents.pages() if page.startswith("gnn/"))
    with Visit(browser, site / f"{chapter}.html") as visit:
        seen = set()
        for _ in range(3):  # what the reader chooses in turn: light, dark, or as the machine has it
            visit.tab.locator(".theme-switch-button:visible").click()
            seen.add(visit.tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(seen) == 2
        code = visit.tab.locator("div.highlight:has(.copybtn):visible").first
        code.hover()
        assert code.locator(".copybtn").evaluate("button => getComputedStyle(button).opacity") == "1"
        assert visit.tab.locator(".headerlink").first.evaluate("link => getComputedStyle(link).visibility") == "hidden"
        assert visit.complaints == []


def test_the_contents_open_on_a_phone(browser, site):
    chapter = next(page for page in contents.pages() if page.startswith("gnn/"))
    with Visit(browser, site / f"{chapter}.html", PHONE) as visit:
        link = visit.tab.locator(".bd-sidebar-primary a, #pst-primary-sidebar-modal a", has_text="Notation").first
        assert not link.is_visible()
        visit.tab.locator(".primary-toggle:visible").click()
        link.wait_for(state="visible")
        assert visit.complaints == []


# --- what is kept of a style sheet ---


def names(page, script=""):
    found = Names(set(), set(), set())
    found.add_page(page)
    found.add_script(script)
    return found


def kept(css, page="<p class=a id=b>x</p>", script=""):
    return pruned(css, names(page, script), page + script)


@pytest.mark.parametrize(
    "rule",
    [
        "p{color:red}",
        "p.a#b:hover>*{color:red}",
        '.a:not(.unknown)::before{content:"a;}"}',
        '[data-theme="dark"] .a{color:red}',
        "@media print{.a{color:red}}",
        "html[data-x] p:is(.c,.d)~p{color:red!important}",
    ],
)
def test_rules_that_may_match_are_kept_as_they_are(rule):
    assert kept(rule) == rule


@pytest.mark.parametrize("rule", [".c{color:red}", "p.a.c{color:red}", "#c p{color:red}", "li{top:0}", "p>.c a{top:0}"])
def test_rules_about_what_is_in_no_page_go(rule):
    assert kept(rule) == kept(f"@media print {{ {rule} }}") == ""


def test_of_a_list_of_selectors_those_that_may_match_stay():
    assert kept("li, .a , .c { color : red }") == ".a{color:red}"


def test_a_class_that_a_script_may_set_is_kept():
    assert kept(".open.a { top: 0 }") == ""
    assert kept(".open.a { top: 0 }", script='x.classList.add("open")') == ".open.a{top:0}"


def test_variables_fonts_and_animations_stay_when_they_are_used():
    css = """
    :root { --one: 1px; --two: var(--one); --three: var(--idle); --idle: 2px; --drawn: 3px; --icon: url("data:;,x") }
    @font-face { font-family: Used; src: url(used.woff) } @font-face { font-family: Idle; src: url(idle.woff) }
    @keyframes turn { to { top: 0 } } @keyframes idle { to { top: 0 } }
    .a { top: var(--two); font-family: Zero, Used; animation: turn 1s; mask: var(--icon) }
    """
    css = kept(css, page='<html><p class="a" style="top: var(--drawn)">x</p></html>')
    assert ':root{--one:1px;--two:var(--one);--drawn:3px;--icon:url("data:;,x")}' in css
    assert "used.woff" in css and "@keyframes turn" in css
    assert "idle" not in css.lower() and "--three" not in css


def test_a_site_keeps_one_sheet_and_the_files_that_its_pages_name(tmp_path):
    static = tmp_path / "_static"
    (static / "deep").mkdir(parents=True)
    (tmp_path / "part").mkdir()
    for name in ("used.png", "idle.png", "deep/font.woff", "deep/tool.js", "deep/tool.js.map", "design-tabs.js"):
        (static / name).write_text("")
    for name in ("part/page.ipynb", "part/other.ipynb"):
        (tmp_path / "_sources" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "_sources" / name).write_text("")
    (static / "basic.css").write_text("i { background: url(used.png) }")
    (static / "deep/theme.css").write_text(
        '@import "../basic.css"; @font-face { font-family: F; src: url("font.woff") }'
    )
    (static / "own.css").write_text("p { font-family: F }")
    (tmp_path / "part" / "page.html").write_text("""<html><head><title>A page</title>
        <link rel="stylesheet" href="../_static/deep/theme.css?v=1" />
        <link rel="stylesheet" href="../_static/own.css" />
        <script src="../_static/deep/tool.js"></script> <script src="../_static/design-tabs.js?v=2"></script>
        </head><body><p>text</p><i class="fa-solid fa-bars fa-lg"></i>
        <a href="../_sources/part/page.ipynb">source</a> <a href="../exercises/part/other.ipynb">other</a>
        </body></html>""")
    lighten(tmp_path)
    page = (tmp_path / "part" / "page.html").read_text()
    left = {path.relative_to(static).as_posix() for path in static.rglob("*") if path.is_file()}
    (sheet,) = {name for name in left if name.endswith(".css")}
    assert left == {sheet, "used.png", "deep/font.woff", "deep/tool.js"}
    assert f'<link rel="stylesheet" href="../_static/{sheet}" />' in page and page.count("stylesheet") == 1
    assert '<i class="book-icon book-icon-bars"></i>' in page and "design-tabs" not in page
    assert [path.name for path in (tmp_path / "_sources").rglob("*.*")] == ["page.ipynb"]
    css = (static / sheet).read_text()
    assert css.index("url(used.png)") < css.index("url(deep/font.woff)") < css.index("p{font-family:F}")
