"""Measure the dashboard: size of the page, and time to write it, to paint it, and to answer a slider.

Usage: python benchmarks/dashboard.py [RUNS], in an environment with the extra `dev` and a Chromium.

The pages are the bundled question with 5 candidates, and questions with 15 and 60 candidates that have the
bundled histories under other names, all over six years. The browser measures the first paint of a page from
disk, and of an empty page in the same run. An answer lasts from the event of a slider until the browser has
the new layout, which the script forces. CPU time is that of the page's main thread. Unlike the wall time, it
does not grow if the machine is busy. The limits are for wall time, so run the script on an idle machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from many_candidates import fill_with_many

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.cli.browser import find_browser
from advisor.report.dashboard import render

BUNDLED_SIZE = 5
# What is promised of the pages of 15 and of 60 candidates.
MOST_KILOBYTES, MOST_PAINT_MS, MOST_ANSWER_MS = 900, 300, 50
SLIDE = """
(selector) => {
  const sliders = [...document.querySelectorAll(selector)], took = [];
  for (let n = 0; n < 40; n++) {
    const slider = sliders[n % sliders.length], began = performance.now();
    slider.value = (37 * n + 11) % (Number(slider.max) + 1);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    document.body.getBoundingClientRect();
    took.push(performance.now() - began);
  }
  return took;
}
"""
WEIGHTS, DAY = "[data-weight]", "#day"


@dataclass(frozen=True)
class Run:
    """Milliseconds of one opening: first paint, and for each slider its answers and their mean CPU time."""

    paint: float
    answers: dict[str, list[float]]
    cpu: dict[str, float]


def make(request: Request, file: Path) -> float:
    began = time.process_time()
    question = read_request(request)
    file.write_text(render(recommend(question), read_timeline(question)), encoding="utf-8")
    return time.process_time() - began


def open_page(driver, file: Path) -> Run:
    browser = driver.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(file.as_uri())
    while not (
        paint := page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    ):
        page.wait_for_timeout(20)
    run = Run(paint, {}, {})
    if "script" in file.read_text():
        page.wait_for_selector("html[data-ready=yes]")
        page.wait_for_timeout(1500)
        client = page.context.new_cdp_session(page)
        client.send("Performance.enable", {"timeDomain": "threadTicks"})
        for slider in (WEIGHTS, DAY):
            before = busy(client)
            run.answers[slider] = page.evaluate(SLIDE, slider)
            run.cpu[slider] = 1000 * (busy(client) - before) / len(run.answers[slider])
    browser.close()
    return run


def busy(client) -> float:
    metrics = client.send("Performance.getMetrics")["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        (folder / "empty.html").write_text("<!doctype html><title>empty</title><p>empty</p>")
        pages = {"an empty page": (folder / "empty.html", 0.0)}
        for n in (BUNDLED_SIZE, 15, 60):
            request = Request()
            if n != BUNDLED_SIZE:
                (folder / str(n)).mkdir()
                request = Request(
                    domain=str(fill_with_many(folder / str(n), n)), store=folder / str(n) / "facts"
                )
            file = folder / f"{n}.html"
            pages[f"{n} candidates"] = (file, make(request, file))
        sizes = {label: (file.stat().st_size / 1000, seconds) for label, (file, seconds) in pages.items()}
        results = {
            label: [open_page(driver, file) for _ in range(runs)] for label, (file, _) in pages.items()
        }
    paints = {label: statistics.median(run.paint for run in runs_) for label, runs_ in results.items()}
    base = paints["an empty page"]
    print("| page | kB | writing, CPU s | first paint, ms | ratio | weights: CPU ms | median ms | p95 ms "
          "| slowest ms | as of: CPU ms | median ms | p95 ms | slowest ms |")  # fmt: skip
    print(f"{13 * '|---'}|")
    for label, (kilobytes, seconds) in sizes.items():
        cells = [
            label,
            f"{kilobytes:,.0f}",
            f"{seconds:.1f}",
            f"{paints[label]:.0f}",
            f"{paints[label] / base:.2f}",
        ]
        for slider in (WEIGHTS, DAY):
            cells += answers(results[label], slider)
        print(f"| {' | '.join(cells)} |")
    print()
    for label in ("15 candidates", "60 candidates"):
        bounds = (
            ("kB", sizes[label][0], MOST_KILOBYTES),
            ("ms to first paint", paints[label], MOST_PAINT_MS),
            ("ms to an answer (weights, p95)", percentile_95(results[label], WEIGHTS), MOST_ANSWER_MS),
            ("ms to an answer (as of, p95)", percentile_95(results[label], DAY), MOST_ANSWER_MS),
        )
        for what, value, most in bounds:
            print(f"{label}: {value:.0f} of {most} {what}: {'met' if value < most else 'NOT MET'}")


def middle(runs: list[Run], slider: str) -> float:
    return statistics.median(ms for run in runs for ms in run.answers[slider])


def percentile_95(runs: list[Run], slider: str) -> float:
    return statistics.quantiles((ms for run in runs for ms in run.answers[slider]), n=20)[-1]


def answers(runs: list[Run], slider: str) -> list[str]:
    if not runs[0].answers:
        return ["", "", "", ""]
    cpu = statistics.median(run.cpu[slider] for run in runs)
    slowest = max(ms for run in runs for ms in run.answers[slider])
    times = (cpu, middle(runs, slider), percentile_95(runs, slider), slowest)
    return [f"{ms:.1f}" for ms in times]


if __name__ == "__main__":
    main()
