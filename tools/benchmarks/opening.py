"""Time what a reader waits for in each chapter, opened from the disk on a slow machine: first paint, mathematics.

    PYTHONPATH=tools python tools/benchmarks/opening.py

writes ``records/benchmarks/opening.json``, of the pages that `make book` built. `make benchmark` runs it with all other
work stopped. Wanted are less than three seconds.
"""

import time
from statistics import median

import contents

from playwright.sync_api import sync_playwright

import browser as machine
from helpers import records
from helpers.files import PROJECT

SITE = PROJECT / "build" / "smoke" / "html"
SLOWDOWN = 4  # what a processor is slowed by that was bought years ago, or is in a phone
REPEATS = 5
WINDOW = {"width": 1280, "height": 900}

# Formulas stand in the page. They are complete when it has been read and laid out, with the fonts of their letters,
# which is asked for once more after a frame: only what is laid out makes a browser load fonts.
WATCH = """addEventListener("load", async () => {
  const frame = () => new Promise(requestAnimationFrame);
  for (const _ of [1, 2]) { await frame(); await document.fonts.ready; }
  await frame();
  window.complete = performance.now();
});"""
TIMES = """() => [performance.getEntriesByName("first-contentful-paint")[0].startTime, window.complete,
  document.querySelectorAll(".math > mjx-container").length]"""


def visit(chromium, path):
    """Seconds from the start of a visit to the first paint and to the last formula, and how many formulas there are."""
    context = chromium.new_context(viewport=WINDOW)  # with nothing in its cache
    tab = context.new_page()
    tab.add_init_script(WATCH)
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    tab.goto(path.as_uri())
    tab.wait_for_function("window.complete")
    paint, complete, formulas = tab.evaluate(TIMES)
    context.close()
    return paint / 1000, complete / 1000, formulas


def measure(chapters):
    """The medians of REPEATS visits to each chapter, after one that also starts the browser."""
    metrics = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=machine.program(), args=machine.FLAGS)
        visit(chromium, SITE / f"{chapters[0]}.html")
        for chapter in chapters:
            visits = [visit(chromium, SITE / f"{chapter}.html") for _ in range(REPEATS)]
            paint, complete, formulas = map(median, zip(*visits, strict=True))
            name = chapter.replace("/", "_")
            metrics |= {f"{name}_paint_seconds": paint, f"{name}_mathematics_seconds": complete}
            metrics[f"{name}_formulas"] = formulas
        chromium.close()
    return metrics


def main():
    start = time.perf_counter()
    if machine.program() is None:
        raise SystemExit(machine.MISSING)
    if not (SITE / "index.html").exists():
        raise SystemExit(f"no pages in {SITE.relative_to(PROJECT)}: `make book` builds them")
    metrics = measure([page for page in contents.pages() if page.startswith(("cnn/", "rnn/", "gnn/"))])
    path = records.save(
        "benchmarks",
        "opening",
        parameters={"slowdown": SLOWDOWN, "repeats": REPEATS, "window": list(WINDOW.values())},
        metrics=metrics,
        packages=("playwright",),
        seconds=time.perf_counter() - start,
    )
    for name, value in metrics.items():
        print(f"{name}: {value:,.1f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
