"""Each chart has a title, a unit, a day, a source, and its numbers in a table; its labels are whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.model import Benchmark
from advisor.report.dashboard import render

EVIL = "</script><b>bench</b>"
RESULTS = (
    ("huggingface/trl", "trl", "tokens_per_second", "tokens/s", 100.0),
    ("unslothai/unsloth", "unsloth", "tokens_per_second", "tokens/s", 180.0),
    ("huggingface/trl", "trl", "peak_memory", "bytes", 6 * 2.0**30),
    ("unslothai/unsloth", "unsloth", "peak_memory", "bytes", 4 * 2.0**30),
)


def benchmark(row, machine="a machine", setting="round A, lora", day=date(2026, 11, 1), times=1.0):
    repository, stack, figure, unit, value = row
    return Benchmark(repository, stack, "1.0", figure, unit, times * value, 0.9 * times * value, 1.1 * times * value,
                     setting, machine, day, "advisor bench")  # fmt: skip


@pytest.fixture(scope="module")
def bench_file(tmp_path_factory):
    """The bundled question with results from two machines, of which one measured fewer libraries."""
    request = Request()
    rows = tuple(benchmark(row) for row in RESULTS)
    rows += (benchmark(RESULTS[0], machine=EVIL, day=date(2026, 11, 2), times=50.0),)
    question = read_request(request)
    text = render(replace(recommend(question), benchmarks=rows), read_timeline(question, 24))
    file = tmp_path_factory.mktemp("bench_report") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def bench_report(open_page, bench_file):
    report = open_page(bench_file)
    report.draw_all()
    return report


def test_each_chart_has_a_title_unit_day_source_and_numbers(bench_report):
    bench_report.page.evaluate("document.querySelectorAll('details.data').forEach((d) => { d.open = true; })")
    bench_report.page.wait_for_function(
        "() => advisor.charts.figures.every((f) => f.table.box.hidden || f.box.querySelector('details tbody tr'))"
    )
    figures = bench_report.page.evaluate(
        """() => advisor.charts.figures.map((f) => ({ id: f.id, none: f.chart.none ?? null, title: f.title.innerText,
            note: f.note.innerText, rows: f.box.querySelectorAll('table tbody tr').length,
            ...Object.fromEntries([...f.box.querySelectorAll('[data-fact]')].map((e) => [e.dataset.fact, e.innerText])),
            metrics: Object.values(advisor.data.metrics).map((m) => m.title) }))"""
    )
    assert len(figures) > 15
    for figure in figures:
        assert figure["none"] is None, figure["id"]
        assert len(figure["title"].split()) > 3, figure
        assert figure["title"] not in figure["metrics"], figure
        assert figure["unit"].startswith("Unit: ") and len(figure["unit"]) > len("Unit: ."), figure
        assert figure["as-of"].startswith("As of ") and figure["as-of"][-5:-1].isdigit(), figure
        assert figure["source"].startswith("Source: ") and len(figure["source"]) > len("Source: ."), figure
        assert figure["note"], figure
        assert figure["rows"] > 0, figure
    assert bench_report.messages == []


def test_without_results_there_is_a_text_and_no_chart(open_page, page_file):
    report = open_page(page_file)
    for figure in ("speed", "memory"):
        assert "no such results" in report.text(f"#figure-{figure} .none")
        assert not report.page.is_visible(f"#figure-{figure} .chart")


def test_a_chart_shows_the_results_of_one_machine(bench_report):
    assert bench_report.text("#figure-speed h3") == (
        "Speed: unsloth is the fastest, 180 tokens/s; trl is the slowest, 100 tokens/s"
    )
    assert bench_report.text("#figure-memory h3") == (
        "Peak memory: unsloth needs the least memory, 4 GiB; trl needs the most, 6 GiB"
    )
    values = bench_report.page.evaluate(
        "advisor.charts.figures.find((f) => f.id === 'speed').chart.traces.map((t) => t.x[0])"
    )
    assert values == [180, 100]
    bench_report.page.click("#figure-speed summary")
    table = bench_report.text("#figure-speed table")
    assert "5000" in table and EVIL in table  # also of the other machine
    bench_report.slide("#day", 0)
    bench_report.page.wait_for_function("() => document.querySelector('#figure-speed .none') !== null")
    assert "no such results" in bench_report.text("#figure-speed .none")


def test_removed_support_is_not_support(bench_report):
    """torchtune removed Code Llama on 2025-05-30 (see tests/unit/answers/test_coverage.py)."""

    def cell():
        return bench_report.page.evaluate(
            """() => { const t = document.querySelector('#coverage-table');
            const at = [...t.tHead.rows[0].cells].findIndex((c) => c.innerText === 'torchtune');
            const row = [...t.tBodies[0].rows].find((r) => r.cells[0].innerText.startsWith('Code Llama'));
            return [row.cells[at].innerText, row.cells[at].title]; }"""
        )

    assert cell() == ["removed", "supported from 2024-04-26, removed on 2025-05-30"]
    days = bench_report.page.evaluate("advisor.data.days")
    bench_report.slide("#day", days.index("2025-04-30"))
    bench_report.draw_all()
    assert cell()[0] in {"yes", "246 d"}


def test_a_chart_is_saved_as_svg_and_png_with_its_title_and_source(bench_report):
    import struct
    from xml.etree import ElementTree as ET

    page = bench_report.page
    page.locator("#figure-scores summary").click()
    title = bench_report.text("#figure-scores h3")

    def save(kind):
        with page.expect_download() as download:
            page.locator(f"#figure-scores button:has-text('({kind})')").click()
        return download.value.suggested_filename, download.value.path().read_bytes()

    name, svg = save("SVG")
    assert name == "scores.svg"
    text = " ".join("".join(ET.fromstring(svg).itertext()).split())
    assert title.replace(" ", "") in text.replace(" ", "")
    assert "Source: git histories" in text and "unsloth" in text
    name, png = save("PNG")
    assert name == "scores.png" and png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (2000, 1120)
    assert bench_report.messages == []
