"""Take the pictures that the book shows of itself elsewhere: pictures.py SITE

The front page becomes the preview of links to the book, and the middle of a chapter the picture of the README.
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import browser
from helpers import files

PREVIEW = files.PROJECT / "book" / "_static" / "preview.png"
README = files.PROJECT / "docs" / "page.png"
CHAPTER, CLAIM = "gnn/fourier", "equation-eq-gnn-orthonormal"
LARGEST = 100_000  # bytes: what shows a link does not wait for more
# What frames a page has no place in its preview.
BARE = """
  .bd-sidebar-primary, .bd-header-article, .headerlink { display: none !important; }
  .book-slider :is(figcaption, .book-control) { display: none !important; }
  .bd-main .bd-content .bd-article-container { max-width: none !important; padding: 2rem 4rem; }
"""


def write(path, png):
    """Write a picture in as many colours as fit into LARGEST bytes: a page has few."""
    for colours in (256, 128, 64, 32):
        file = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        if file.tell() < LARGEST:
            break
    files.write(path, file.getvalue())
    print(f"written {path.relative_to(files.PROJECT)}, {file.tell():,} bytes")


def opened(chromium, page, width, height):
    tab = chromium.new_page(viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce")
    tab.goto(page.as_uri())
    tab.wait_for_function("document.fonts.ready.then(() => true)")
    return tab


def main(site):
    program = browser.program()
    if program is None:
        raise SystemExit(browser.MISSING)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=browser.FLAGS)
        door = opened(chromium, site / "index.html", 1200, 630)  # as those that show a link want it
        door.add_style_tag(content=BARE)
        write(PREVIEW, door.screenshot())
        chapter = opened(chromium, site / f"{CHAPTER}.html", 1280, 1000)
        chapter.locator(f"#{CLAIM}").evaluate("claim => { claim.scrollIntoView(); window.scrollBy(0, -90); }")
        write(README, chapter.screenshot())
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
