"""Each label of a chart is whole and apart from the others, and plotly draws each chart once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from many_candidates import fill_with_many, read_many_timeline

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


def write_page(folder, request, months, read=read_timeline):
    question = read_request(request)
    file = folder / "report.html"
    file.write_text(render(recommend(question), read(question, months)), encoding="utf-8")
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
        "many": write_page(
            folders["many"],
            Request(domain=str(domain), store=folders["many"] / "facts"),
            24,
            read_many_timeline,
        ),
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


ENDS = """() => advisor.charts.figures.filter((f) => f.chart.layout?.annotations?.length).map((f) => ({ id: f.id,
    isLog: f.chart.layout.yaxis.type === 'log',
    labels: f.chart.layout.annotations.map((a) => [a.text, a.y, a.showarrow]),
    dashes: f.chart.traces.map((t) => [t.marker?.symbol, t.line?.dash]),
    values: f.chart.traces.flatMap((t) => t.y).filter((v) => v !== null) }))"""


@pytest.mark.parametrize("name", ["long", "many"])
def test_each_label_leads_to_the_end_of_its_own_line(open_page, files, name):
    import math

    report = open_page(files[name])
    charts = report.page.evaluate(ENDS)
    assert {"scores", "issues", "contributors"} <= {c["id"] for c in charts}
    for chart in charts:
        names = [text for text, _, _ in chart["labels"]]
        assert len(names) == len(set(names)), (chart["id"], "each name once")
        values = [math.log10(max(v, 1)) if chart["isLog"] else v for v in chart["values"]]
        for text, y, has_leader in chart["labels"]:
            assert has_leader, (chart["id"], text)
            assert min(abs(v - y) for v in values) < 1e-9, (chart["id"], text, y)


def test_coincident_lines_can_be_told_apart(open_page, files):
    report = open_page(files["many"])
    charts = {c["id"]: c for c in report.page.evaluate(ENDS)}
    for chart in ("scores", "downloads", "closed-share"):
        dashes = [dash for _, dash in charts[chart]["dashes"]]
        assert len(set(dashes)) == len(dashes) > 2, chart


def test_a_chart_says_which_candidates_it_leaves_out(open_page, files):
    report = open_page(files["many"])
    charts = report.page.evaluate(
        """() => advisor.charts.figures.filter((f) => f.chart.traces).map((f) => ({ id: f.id, note: f.note.textContent,
            shown: f.id === 'timeline' ? f.chart.layout.yaxis.ticktext.filter((t) => t !== 'Model launches').length
                : new Set(f.chart.traces.map((t) => (t.name ?? '').replace(/ (open|closed)$/, '')).filter(Boolean)).size,
            rows: advisor.answer.rows.length }))"""
    )
    said = {c["id"]: c for c in charts if "The chart shows the first" in c["note"]}
    assert "scores" in said and "releases" in said
    for chart in said.values():
        assert f"the first {chart['shown']} candidates of the ranking that have data" in chart["note"], chart
        assert chart["shown"] < chart["rows"]
    few = open_page(files["long"])
    notes = few.page.evaluate("advisor.charts.figures.map((f) => f.note.textContent)")
    assert not any("The chart shows the first" in note for note in notes)


@pytest.mark.parametrize("width", [1440, 1024, 768])
def test_headers_of_neighbours_do_not_touch(open_page, page_file, width):
    report = open_page(page_file, viewport={"width": width, "height": 900})
    boxes = report.page.eval_on_selector_all(
        "#ranking-table thead th, #top thead th",
        """(all) => all.map((th) => { const range = document.createRange(); range.selectNodeContents(th);
            const box = range.getBoundingClientRect(); return [th.innerText, th.closest('table').id, box.left, box.right]; })""",
    )
    for (text, table, _, right), (after, same, left, _) in pairwise(boxes):
        assert table != same or right + 3 <= left, (text, after)


def test_a_table_shows_that_it_scrolls(open_page, page_file):
    report = open_page(page_file, viewport={"width": 768, "height": 900})
    wide, shadow = report.page.eval_on_selector(
        "#ranking .scroll",
        "(e) => [e.scrollWidth > e.clientWidth, getComputedStyle(e).backgroundAttachment.split(', ')]",
    )
    assert wide and shadow == ["local", "local", "scroll", "scroll"]


def test_forced_colours_keep_dots_keys_and_bars(open_page, page_file):
    report = open_page(page_file, forced_colors="active")
    colours = report.page.evaluate(
        "['.dot', '.key.k0', '.key.k1', '.legend .r0', '#gauge .fill'].map((s) => { const c = getComputedStyle(document.querySelector(s));"
        " return s === '#gauge .fill' ? c.stroke : c.backgroundColor; })"
    )
    assert len(set(colours)) == len(colours), colours
    assert "rgba(0, 0, 0, 0)" not in colours


def test_no_header_of_the_ranking_is_cut(open_page, page_file):
    report = open_page(page_file)
    headers = report.page.eval_on_selector_all(
        "#ranking-table thead th", "(all) => all.map((h) => [h.innerText, h.scrollWidth <= h.clientWidth])"
    )
    assert len(headers) > 10
    assert [text for text, is_whole in headers if not is_whole] == []


@pytest.mark.parametrize("width", [1400, 390])
def test_margins_are_constant_so_that_plotly_draws_each_chart_once(open_page, page_file, width):
    """Automatic margins, on a slow machine, gave the warning "Too many auto-margin redraws" on the console."""
    report = open_page(page_file, viewport={"width": width, "height": 900})
    for draw_again in (False, True):
        if draw_again:
            report.page.evaluate("['beforeprint', 'afterprint'].forEach((e) => dispatchEvent(new Event(e)))")
        report.draw_all()
        figures = report.page.evaluate(MARGINS)
        assert len(figures) > 8
        for figure in figures:
            assert figure["automargin"] == [False, False, False], figure
            assert figure["actual"] == figure["expected"], figure
    assert report.messages == []


BROKEN_WORDS = """(all) => all.flatMap((th) => { const [text] = [...th.childNodes], words = th.textContent.matchAll(/\\S+/g), broken = [];
    for (const word of words) { const range = document.createRange(); range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length); if (range.getClientRects().length > 1) broken.push(word[0]); }
    return broken; })"""


def test_no_word_of_a_header_is_broken_on_paper(open_page, page_file):
    report = open_page(page_file, viewport={"width": 670, "height": 900})
    report.page.emulate_media(media="print")
    headers = report.page.locator("#ranking-table thead th")
    assert headers.count() > 10
    assert headers.evaluate_all(BROKEN_WORDS) == []
    edges = "(cells) => cells.map((cell) => cell.getBoundingClientRect()).map((box) => [box.left, box.right])"
    first_row = report.page.locator("#ranking-table tbody tr").first.locator("th, td").evaluate_all(edges)
    assert headers.evaluate_all(edges) == [pytest.approx(box, abs=1) for box in first_row]


def test_the_name_of_a_point_covers_no_other_point(open_page, page_file):
    report = open_page(page_file, viewport={"width": 1440, "height": 900})
    report.draw_all()
    box = "(all) => all.map((e) => { const r = e.getBoundingClientRect(); return { text: e.textContent, left: r.left, right: r.right, top: r.top, bottom: r.bottom }; })"
    for chart in ("attention", "hype_gap"):
        names = report.page.eval_on_selector_all(f"#figure-{chart} .textpoint text", box)
        points = report.page.eval_on_selector_all(f"#figure-{chart} .points path", box)
        assert len(names) == len(points) > 2
        for j, name in enumerate(names):
            others = [*points[:j], *points[j + 1 :], *names[:j], *names[j + 1 :]]
            assert all(is_apart(name, other) for other in others), (chart, name)
