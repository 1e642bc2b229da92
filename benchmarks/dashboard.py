"""The dashboard: how large the page is, how long it takes to make, to appear, and to answer a slider.

Usage: python benchmarks/dashboard.py [RUNS], in an environment with the extra `dev` and a Chromium.

The bundled question of 5 candidates, and made-up ones of 15 and of 60 that carry the bundled
histories under other names, all over six years. First paint is the browser's own figure for a page
opened from disk, beside that of an empty page in the same run; a slider's answer runs from its
event until the new layout is worked out (style and layout forced). Its CPU time is that of the page's main
thread, from the browser; unlike the wall time it does not grow when the machine has other work.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from many_candidates import fill_with_many

from advisor.advise import Request, read_request, recommend
from advisor.cli.browser import find_browser
from advisor.history import look_back
from advisor.report.dashboard import render

BUNDLED = 5
SLIDE = """
() => {
  const sliders = [...document.querySelectorAll("[data-weight]")], took = [];
  for (let n = 0; n < 40; n++) {
    const slider = sliders[n % sliders.length], began = performance.now();
    slider.value = (37 * n + 11) % 100;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect();
    took.push(performance.now() - began);
  }
  return took;
}
"""


def make(request: Request, file: Path) -> float:
    began = time.process_time()
    file.write_text(render(recommend(request), look_back(read_request(request))), encoding="utf-8")
    return time.process_time() - began


def opened(driver, file: Path) -> tuple[float, float, list[float]]:
    """First paint (wall ms), CPU ms of a slider's answer, and wall ms of each answer."""
    browser = driver.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(file.as_uri())
    paint = page.wait_for_function(
        "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    ).json_value()
    cpu = 0.0
    took: list[float] = []
    if "script" in file.read_text():
        page.wait_for_selector("html[data-ready=yes]")
        page.wait_for_timeout(1500)
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = busy(client)
        took = page.evaluate(SLIDE)
        cpu = 1000 * (busy(client) - before) / len(took)
    browser.close()
    return paint, cpu, took


def busy(client) -> float:
    metrics = client.send("Performance.getMetrics")["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        (folder / "empty.html").write_text("<!doctype html><title>empty</title><p>empty</p>")
        pages = {"an empty page": (folder / "empty.html", 0.0)}
        for n in (BUNDLED, 15, 60):
            request = Request()
            if n != BUNDLED:
                (folder / str(n)).mkdir()
                request = Request(
                    domain=str(fill_with_many(folder / str(n), n)), store=folder / str(n) / "facts"
                )
            file = folder / f"{n}.html"
            pages[f"{n} candidates"] = (file, make(request, file))
        measured = {label: (file.stat().st_size / 1000, seconds) for label, (file, seconds) in pages.items()}
        found = {label: [opened(driver, file) for _ in range(runs)] for label, (file, _) in pages.items()}
    print(
        "| page | kB | made in, CPU s | first paint, ms | ratio | slider, CPU ms | median ms | slowest ms |"
    )
    print("|---|---|---|---|---|---|---|---|")
    base = statistics.median(paint for paint, _, _ in found["an empty page"])
    for label, (kilobytes, seconds) in measured.items():
        paint = statistics.median(p for p, _, _ in found[label])
        took = [ms for _, _, all_ms in found[label] for ms in all_ms]
        cpu = statistics.median(c for _, c, _ in found[label])
        slider = f"{cpu:.1f} | {statistics.median(took):.1f} | {max(took):.1f}" if took else "| |"
        print(f"| {label} | {kilobytes:,.0f} | {seconds:.1f} | {paint:.0f} | {paint / base:.2f} | {slider} |")


if __name__ == "__main__":
    main()
