"""Each label of a chart is whole and apart from the others, and plotly draws each chart once."""

from __future__ import annotations

import pytest
from many_candidates import fill_with_many

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.report.dashboard import render

LABELS = """() => advisor.charts.figures.filter((f) => f.chart.traces).map((f) => {
  const box = (e) => { const r = e.getBoundingClientRect(); return { left: r.left, right: r.right, top: r.top, bottom: r.bottom }; };
  const labels = (selector) => [...f.place.querySelectorAll(selector)].filter((e) => e.textContent)
    .map((e) => ({ text: e.textContent, ...box(e) }));
  return { id: f.id, place: box(f.place), ticks: labels('.xtick text'), rows: labels('.ytick text'), ends: labels('.annotation text'),
    others: labels('.textpoint text, .xtitle, .ytitle') };
})"""
# Layouts are compared, not drawings: a chart whose margins cannot change needs no second pass.
MARGINS = """() => advisor.charts.figures.filter((f) => f.chart.traces).map((f) => ({ id: f.id,
    automargin: [f.chart.layout.xaxis.automargin, f.chart.layout.yaxis.automargin, f.chart.layout.margin.autoexpand],
    expected: ['l', 'r', 't', 'b'].map((side) => f.chart.layout.margin[side]),
    actual: ['l', 'r', 't', 'b'].map((side) => f.place._fullLayout._size[side]) }))"""


def write_page(folder, request, months):
    question = read_request(request)
    file = folder / "report.html"
    file.write_text(render(recommend(question), read_timeline(question, months)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def files(tmp_path_factory, page_file):
    """Pages over many months, over three, with one day only, and with twenty candidates."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("short", "day", "many")}
    domain = fill_with_many(folders["many"], 20)
    return {
        "long": page_file,
        "short": write_page(folders["short"], Request(), 3),
        "day": write_page(folders["day"], Request(), 0),
        "many": write_page(folders["many"], Request(domain=str(domain), store=folders["many"] / "facts"), 24),
    }


def is_apart(a, b):
    return a["right"] <= b["left"] + 1 or b["right"] <= a["left"] + 1 or a["bottom"] <= b["top"] + 2 or b["bottom"] <= a["top"] + 2  # fmt: skip


@pytest.mark.parametrize("name", ["long", "short", "day", "many"])
@pytest.mark.parametrize("width", [1400, 768, 390])
def test_each_label_is_whole(open_page, files, name, width):
    report = open_page(files[name], viewport={"width": width, "height": 900})
    report.draw_all()
    figures = report.page.evaluate(LABELS)
    assert len(figures) > 8
    for figure in figures:
        place = figure["place"]
        labels = [*figure["ticks"], *figure["rows"], *figure["ends"], *figure["others"]]
        assert labels, figure["id"]
        cut = [label["text"] for label in labels
               if label["left"] < place["left"] - 1 or label["right"] > place["right"] + 1
               or label["top"] < place["top"] - 1 or label["bottom"] > place["bottom"] + 1]  # fmt: skip
        assert not cut, (figure["id"], cut)
        for group in ("ticks", "rows", "ends"):
            row = figure[group]
            overlaps = [
                (a["text"], b["text"]) for i, a in enumerate(row) for b in row[:i] if not is_apart(a, b)
            ]
            assert not overlaps, (figure["id"], group, overlaps)
    assert report.messages == []


def test_no_header_of_the_ranking_is_cut(open_page, page_file):
    report = open_page(page_file)
    headers = report.page.eval_on_selector_all(
        "#ranking-table thead th", "(all) => all.map((h) => [h.innerText, h.scrollWidth <= h.clientWidth])"
    )
    assert len(headers) > 10
    assert [text for text, is_whole in headers if not is_whole] == []


@pytest.mark.parametrize("width", [1400, 390])
def test_margins_are_constant_so_that_plotly_draws_each_chart_once(open_page, page_file, width):
    report = open_page(page_file, viewport={"width": width, "height": 900})
    report.page.context.new_cdp_session(report.page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    report.draw_all()
    for figure in report.page.evaluate(MARGINS):
        assert figure["automargin"] == [False, False, False], figure
        assert figure["actual"] == figure["expected"], figure
    # With automatic margins, drawing a chart again before it is ready gives "Too many auto-margin redraws".
    for _ in range(2):
        report.page.evaluate("['beforeprint', 'afterprint'].forEach((e) => dispatchEvent(new Event(e)))")
        report.draw_all()
    assert report.messages == []
