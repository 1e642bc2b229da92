"""Every figure tells what it shows: the finding, unit, day, source, and the numbers in a table."""

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
MADE = (
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
def benched_file(tmp_path_factory):
    """The bundled question with figures from two machines, of which one measured fewer libraries."""
    request = Request()
    rows = tuple(benchmark(row) for row in MADE)
    rows += (benchmark(MADE[0], machine=EVIL, day=date(2026, 11, 2), times=50.0),)
    question = read_request(request)
    text = render(replace(recommend(question), benchmarks=rows), read_timeline(question, 24))
    file = tmp_path_factory.mktemp("benched") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def benched(open_page, benched_file):
    opened = open_page(benched_file)
    opened.draw_everything()
    return opened


def test_every_figure_names_finding_unit_day_source_and_numbers(benched):
    benched.page.evaluate("document.querySelectorAll('details.data').forEach((d) => { d.open = true; })")
    benched.page.wait_for_timeout(100)
    told = benched.page.evaluate(
        """() => advisor.charts.figures.map((f) => ({ id: f.id, nothing: f.made.none ?? null, finding: f.title.innerText,
            note: f.note.innerText, rows: f.box.querySelectorAll('table tbody tr').length,
            ...Object.fromEntries([...f.box.querySelectorAll('[data-fact]')].map((e) => [e.dataset.fact, e.innerText])),
            metrics: Object.values(advisor.data.metrics).map((m) => m.title) }))"""
    )
    assert len(told) > 15
    for figure in told:
        assert figure["nothing"] is None, figure["id"]
        assert len(figure["finding"].split()) > 3, figure
        assert figure["finding"] not in figure["metrics"], figure
        assert figure["unit"].startswith("Unit: ") and len(figure["unit"]) > len("Unit: ."), figure
        assert figure["as-of"].startswith("As of ") and figure["as-of"][-5:-1].isdigit(), figure
        assert figure["source"].startswith("Source: ") and len(figure["source"]) > len("Source: ."), figure
        assert figure["note"], figure
        assert figure["rows"] > 0, figure
    assert benched.said == []


def test_nothing_measured_is_said_and_not_drawn(open_page, page_file):
    opened = open_page(page_file)
    for figure in ("speed", "memory"):
        assert "Not measured" in opened.text(f"#figure-{figure} .none")
        assert not opened.page.is_visible(f"#figure-{figure} .chart")


def test_benches_are_compared_on_one_machine_only(benched):
    assert benched.text("#figure-speed h3") == (
        "Speed: unsloth is the fastest, 180 tokens/s; trl is the slowest, 100 tokens/s"
    )
    assert benched.text("#figure-memory h3") == (
        "Peak memory: unsloth needs the least memory, 4 GiB; trl needs the most, 6 GiB"
    )
    drawn = benched.page.evaluate(
        "advisor.charts.figures.find((f) => f.id === 'speed').made.traces.map((t) => t.x[0])"
    )
    assert drawn == [180, 100]
    benched.page.click("#figure-speed summary")
    table = benched.text("#figure-speed table")
    assert "5000" in table and EVIL in table  # the other machine's, beside the rest
    benched.slide("#day", 0)
    benched.page.wait_for_function("() => document.querySelector('#figure-speed .none') !== null")
    assert "Not measured" in benched.text("#figure-speed .none")


def test_support_that_was_removed_is_not_shown_as_support(benched):
    """torchtune gave Code Llama up on 2025-05-30 (see tests/unit/answers/test_coverage.py)."""

    def cell():
        return benched.page.evaluate(
            """() => { const t = document.querySelector('#coverage-table');
            const at = [...t.tHead.rows[0].cells].findIndex((c) => c.innerText === 'torchtune');
            const row = [...t.tBodies[0].rows].find((r) => r.cells[0].innerText.startsWith('Code Llama'));
            return [row.cells[at].innerText, row.cells[at].title]; }"""
        )

    assert cell() == ["removed", "supported from 2024-04-26, removed on 2025-05-30"]
    days = benched.page.evaluate("advisor.data.days")
    benched.slide("#day", days.index("2025-04-30"))
    benched.draw_everything()
    assert cell()[0] in {"yes", "246 d"}
