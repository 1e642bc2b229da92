"""The page as a person uses it: open, change, share, save, print."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys

import pytest

from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend

WITHOUT_TIMES = re.compile(rb"/(?:CreationDate|ModDate) \([^)]*\)")
AXE_LEVELS = {"serious", "critical"}


def advisor(*args, **kwargs):
    return subprocess.run([sys.executable, "-m", "advisor", *args], capture_output=True, text=True, check=False, **kwargs)  # fmt: skip


def save(report, selector):
    with report.page.expect_download() as download:
        report.page.click(selector)
    with download.value.path().open(encoding="utf-8", newline="") as file:
        return download.value.suggested_filename, file.read()


def read_ranking(report):
    return report.page.eval_on_selector_all(
        "#ranking-table tbody tr:not([hidden])",
        "(rows) => rows.map((r) => [...r.cells].map((c) => c.innerText.trim()))",
    )


def test_opening_gives_no_message_and_no_request(open_page, page_file):
    report = open_page(page_file)
    report.draw_all()
    assert report.messages == []
    assert report.requests == [page_file.as_uri()]
    charts = report.page.eval_on_selector_all(
        ".chart:not([hidden])", "(all) => all.map((c) => !!c.querySelector('svg.main-svg'))"
    )
    assert len(charts) > 10
    assert all(charts)
    assert report.page.evaluate("window.shifts.reduce((a, b) => a + b, 0)") < 0.01


def test_the_page_without_scripts_has_the_same_texts(open_page, page_file):
    full = open_page(page_file)
    texts = {part: full.text(part) for part in ("header", "#reasons", "#doubts", "#ranking-table", "#asides")}
    context = full.page.context.browser.new_context(
        java_script_enabled=False, viewport={"width": 1400, "height": 900}
    )
    bare = context.new_page()
    bare.goto(page_file.as_uri())
    for part, text in texts.items():
        assert " ".join(bare.inner_text(part).split()) == text, part
    assert "need JavaScript" in bare.inner_text("#charts")
    context.close()


@pytest.fixture(scope="module")
def choice():
    """The name of the choice of the bundled question."""
    return recommend(read_request(Request())).first_choice.candidate.name


def test_sliders_goals_and_candidates_change_the_ranking(open_page, page_file, choice):
    report = open_page(page_file)
    assert report.text("#choice") == choice
    before = read_ranking(report)
    report.slide('[data-weight="backing"]', 90)
    assert read_ranking(report)[0][1].split()[0] == "trl" != choice
    assert report.page.input_value("#goal") == ""
    weights = read_request(Request()).weights
    rest = 1 - weights["backing"]
    expected = {c: 0.9 if c == "backing" else 0.1 * w / rest for c, w in weights.items()}
    shares = report.page.eval_on_selector_all("[data-weight]", "(all) => all.map((e) => e.value)")
    assert shares == [f"{100 * w:.0f}" for w in expected.values()]
    assert report.text('[data-share="backing"]') == "90%"
    report.page.select_option("#goal", "independence")
    assert report.text("#goal-title") == "independence from one person or one company"
    trl = report.page.evaluate("advisor.data.candidates.findIndex((c) => c.name === 'trl')")
    report.page.uncheck(f'#controls [data-candidate="{trl}"]')
    assert "trl" not in {row[1].split()[0] for row in read_ranking(report)}
    assert "was not compared" in report.text("#alternatives")
    report.page.click("#reset")
    assert read_ranking(report) == before
    assert report.messages == []


def test_one_weight_and_one_candidate_always_remain(open_page, page_file):
    report = open_page(page_file)
    report.slide('[data-weight="models"]', 100)
    report.slide('[data-weight="models"]', 0)
    assert report.text("#ranking-table tbody tr [data-cell=score]")
    assert report.page.evaluate("advisor.state.weights.some((w) => w > 0)")
    for i in range(5):
        report.page.set_checked(f'#controls [data-candidate="{i}"]', i == 4) if i < 4 else None
    report.page.click('#controls [data-candidate="4"]')
    assert len(read_ranking(report)) == 1
    assert report.text("#headline") == "Nothing suitable"
    assert report.messages == []


def test_the_keyboard_moves_the_as_of_slider_into_the_past(open_page, page_file):
    report = open_page(page_file)
    report.page.focus("#day")
    for _ in range(12):
        report.page.keyboard.press("ArrowLeft")
    assert report.text("#as-of-text") == "31 July 2025"
    assert "2025-07-31" in report.page.get_attribute("#as-of-text", "datetime")
    rows = {row[1].split()[0]: row for row in read_ranking(report)}
    assert rows["torchtune"][0] != "out"
    report.draw_all()
    newest = report.page.evaluate(
        "Math.max(...advisor.charts.figures.flatMap((f) => f.chart.traces ?? []).flatMap((t) => t.x).filter((x) => typeof x === 'string').map(Date.parse))"
    )
    assert newest <= 1753920000000  # 2025-07-31: no chart shows a later fact


def test_the_state_is_in_the_address(open_page, page_file):
    report = open_page(page_file)
    report.slide('[data-weight="models"]', 80)
    report.slide("#day", 20)
    report.page.uncheck('#controls [data-candidate="3"]')
    report.page.wait_for_function("() => location.hash.includes('only')")
    address, rows = report.page.url.partition("#")[2], read_ranking(report)
    assert {"w", "as-of", "only"} <= {part.partition("=")[0] for part in address.split("&")}
    again = open_page(page_file, f"#{address}")
    assert read_ranking(again) == rows
    again.page.evaluate("location.hash = ''")
    again.page.wait_for_function(
        "() => document.querySelectorAll('#ranking-table tbody tr:not([hidden])').length === 5"
    )


@pytest.mark.parametrize("address", ["#goal=__proto__&w=models:NaN,issues:-1&as-of=x&only=nobody", "#w=models:0", "#%%%", "#only=",
                                     "#goal=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"])  # fmt: skip
def test_an_invalid_address_changes_nothing(open_page, page_file, choice, address):
    report = open_page(page_file, address)
    assert report.text("#choice") == choice
    assert len(read_ranking(report)) == 5
    assert report.messages == []


def test_a_saved_view_is_reproduced_by_rank(open_page, page_file, tmp_path):
    report = open_page(page_file)
    report.slide('[data-weight="models"]', 90)
    report.slide("#day", 25)
    report.page.uncheck('#controls [data-candidate="2"]')
    name, text = save(report, "#export")
    view = tmp_path / name
    view.write_text(text)
    process = advisor("rank", "--replay", str(view), "--format", "json")
    assert (process.returncode, process.stderr) == (0, "")
    view_data, answer = json.loads(text), json.loads(process.stdout)
    assert (answer["choice"], answer["certainty"], answer["as_of"]) == (
        view_data["answer"]["choice"], view_data["answer"]["certainty"], view_data["as_of"])  # fmt: skip
    assert [r["candidate"]["repository"] for r in answer["ranking"]] == [
        r["repository"] for r in view_data["answer"]["ranking"]
    ]
    view_data["answer"]["ranking"][0]["score"] += 5
    view.write_text(json.dumps(view_data))
    assert "had score" in advisor("rank", "--replay", str(view)).stderr


def test_replay_prints_the_goal_and_the_flips_of_the_view(open_page, page_file, tmp_path):
    report = open_page(page_file)
    report.page.select_option("#goal", "independence")
    for criterion, share in (("momentum", 40), ("models", 35)):
        report.slide(f'[data-weight="{criterion}"]', share)
    title = "your own weights (from independence from one person or one company)"
    assert report.text("#goal-title") == title
    *weight_flips, behind = report.page.evaluate(
        "[...document.querySelectorAll('#flips li')].map((e) => e.textContent)"
    )
    assert len(weight_flips) == 3 and behind.endswith("points behind by score")
    name, text = save(report, "#export")
    view = tmp_path / name
    view.write_text(text)
    process = advisor("rank", "--replay", str(view))
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("finetuning: own weights (from independence), as of ")
    _, _, rest = process.stdout.partition("what would put another candidate first:\n")
    assert rest.partition("\n\n")[0].splitlines() == [f"    - {flip}" for flip in weight_flips]
    # The address and a page of the view say the same.
    report.page.wait_for_function("() => location.hash.includes('goal=independence&w=')")
    again = open_page(page_file, f"#{report.page.url.partition('#')[2]}")
    assert again.text("#goal-title") == title
    view_data = json.loads(text)
    view_data["answer"]["flips"][0] = "a flip of another day"
    view.write_text(json.dumps(view_data))
    process = advisor("rank", "--replay", str(view), "--format", "html", "-o", str(tmp_path / "replay.html"))
    assert "what would change the choice was in the view: a flip of another day; " in process.stderr
    replay = open_page(tmp_path / "replay.html")
    assert replay.text("#goal-title") == title
    assert replay.page.input_value("#goal") == ""
    assert replay.page.url.partition("#")[2] == ""
    replay.page.select_option("#goal", "independence")
    assert replay.text("#goal-title") == "independence from one person or one company"
    assert replay.page.evaluate("advisor.view().weights") != view_data["weights"]
    replay.page.click("#reset")
    assert replay.text("#goal-title") == title
    assert replay.messages == []


def test_any_table_is_saved_as_csv(open_page, page_file):
    first = recommend(read_request(Request())).ranking[0].candidate
    report = open_page(page_file)
    name, text = save(report, "#ranking + * button.csv, button.csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert (name, rows[0][:3], rows[1][1]) == (
        "ranking.csv",
        ["Rank", "Candidate", "Score"],
        f"{first.name} {first.backer}",
    )
    report.draw_all()
    figures = report.page.evaluate("advisor.charts.figures.filter((f) => f.chart.table).map((f) => f.id)")
    assert len(figures) > 8
    for figure in figures:
        report.page.click(f"#figure-{figure} summary")
        name, text = save(report, f"#figure-{figure} details button")
        rows = list(csv.reader(io.StringIO(text)))
        assert name == f"{figure}.csv"
        assert len(rows) > 2 and len({len(r) for r in rows}) == 1
    assert report.messages == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious(open_page, page_file, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    report = open_page(
        page_file, color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True
    )
    report.draw_all()
    report.page.click("#figure-criteria summary")
    report.page.click("#figure-closed-share summary")
    violations = Axe().run(report.page).response["violations"]
    problems = [
        (v["id"], v["impact"], v["nodes"][0]["html"][:200], v["nodes"][0].get("failureSummary"))
        for v in violations
    ]
    assert [problem for problem in problems if problem[1] in AXE_LEVELS] == []


def test_a_phone_needs_no_sideways_scrolling(open_page, page_file):
    report = open_page(page_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    report.draw_all()
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 390
    report.slide('[data-weight="adoption"]', 100)
    assert report.messages == []


def test_each_scheme_has_its_own_background(open_page, page_file):
    colours = [open_page(page_file, color_scheme=s).page.evaluate("getComputedStyle(document.body).backgroundColor")
               for s in ("light", "dark")]  # fmt: skip
    assert colours == ["rgb(255, 255, 255)", "rgb(18, 21, 25)"]


def test_dark_pages_print_light_with_all_charts(open_page, page_file):
    report = open_page(page_file, color_scheme="dark")
    before = report.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')")
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    on_paper = report.page.evaluate(
        """() => advisor.charts.figures.filter((f) => f.chart.traces).map((f) => ({ id: f.id,
            widths: [...f.place.querySelectorAll('svg.main-svg')].map((s) => Number(s.getAttribute('width'))),
            text: f.place.querySelector('.xtick text').style.fill }))"""
    )
    assert len(on_paper) > 10
    for figure in on_paper:
        assert figure["widths"] and max(figure["widths"]) <= 670, figure
        assert figure["text"] == "rgb(22, 25, 29)", figure  # --text of the light scheme
    report.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert (
        report.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')")
        == before
    )
    assert report.page.pdf()[:5] == b"%PDF-"
    report.page.emulate_media(media="print")
    assert not report.page.is_visible("#play")
    assert report.page.is_visible("#choice")
    assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert report.messages == []


def test_a_print_at_once_equals_a_later_one(open_page, page_file, chromium):
    """At once, the script of the page has not even started."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(page_file.as_uri())
    at_once = page.pdf()
    context.close()
    report = open_page(page_file)
    report.draw_all()
    later = report.page.pdf()
    pages = [re.findall(rb"/Type /Page\b", pdf) for pdf in (at_once, later)]
    assert len(pages[0]) == len(pages[1]) > 10
    assert WITHOUT_TIMES.sub(b"", at_once) == WITHOUT_TIMES.sub(b"", later)
    assert report.messages == []


def test_the_keyboard_alone_is_enough(open_page, page_file):
    report = open_page(page_file)
    report.page.keyboard.press("Tab")
    assert report.page.evaluate("document.activeElement.className") == "skip"
    stops = set()
    for _ in range(60):
        report.page.keyboard.press("Tab")
        stop, outline = report.page.evaluate(
            "(() => { const e = document.activeElement; return [e.id || e.dataset.weight || e.dataset.candidate || e.tagName,"
            " getComputedStyle(e).outlineStyle]; })()"
        )
        stops.add(stop)
        if stop == "backing":
            report.page.keyboard.press("End")
        if stop == "export":
            break
        assert outline != "none", stop
    assert {"goal", "contributors", "models", "day", "0", "4", "reset", "link", "export"} <= stops
    assert report.text('[data-share="backing"]') == "100%"
    assert report.messages == []


def test_the_requirements_are_on_the_page_and_in_the_saved_view(open_page, tmp_path):
    process = advisor("rank", "--model", "google/gemma-2-9b", "--prefer", "start-up", "--format", "html", "--store", "bundled")  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "")
    file = tmp_path / "requirements.html"
    file.write_text(process.stdout, encoding="utf-8")
    plain = json.loads(advisor("rank", "--model", "google/gemma-2-9b", "--prefer", "start-up", "--format", "json", "--store", "bundled").stdout)  # fmt: skip
    report = open_page(file)
    assert report.page.inner_text("#choice") == plain["choice"].partition("/")[2]
    assert report.page.get_attribute("#confidence", "data-certainty") == plain["certainty"]
    for note in plain["requirement_notes"]:
        assert " ".join(note.split()) in report.text("#requirements")
    report.slide('[data-weight="models"]', 60)
    name, text = save(report, "#export")
    (tmp_path / name).write_text(text)
    again = advisor("rank", "--replay", str(tmp_path / name), "--format", "json", "--store", "bundled")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout)["choice"] == json.loads(text)["answer"]["choice"]
    assert report.messages == []


def test_the_figures_are_valid_plotly(open_page, page_file):
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs_version

    report = open_page(page_file)
    report.draw_all()
    figures = report.page.evaluate(
        "advisor.charts.figures.filter((f) => f.chart.traces).map((f) => ({data: f.chart.traces, layout: f.chart.layout}))"
    )
    assert len(figures) > 10
    for figure in figures:
        go.Figure(figure)  # raises on an attribute that plotly does not know
    assert report.page.evaluate("Plotly.version") == get_plotlyjs_version()


def test_the_pictures_and_the_badge_show_the_answer(chromium_path, open_page, tmp_path):
    import struct
    from xml.etree import ElementTree as ET

    process = advisor(
        "dashboard", "-o", str(tmp_path / "r.html"), "--months", "3", "--png", str(tmp_path / "r.png"),
        "--card", str(tmp_path / "card.png"), "--badge", str(tmp_path / "badge.svg"),
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "")
    for name, size in (("r.png", (1440, 1000)), ("card.png", (1200, 630))):
        picture = (tmp_path / name).read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == size
    report = open_page(tmp_path / "r.html", viewport={"width": 1200, "height": 630})
    choice, score = report.text("#choice"), report.text("#top .chosen b")
    assert f"{choice} {score}, first in" in "".join(ET.parse(tmp_path / "badge.svg").getroot().itertext())
    report.page.evaluate("document.documentElement.dataset.card = 'yes'")
    assert report.page.evaluate("document.querySelector('#flips li').getBoundingClientRect().bottom") <= 630
    assert not report.page.is_visible("#controls")
    tags = dict(
        report.page.eval_on_selector_all(
            "meta[property]", "(all) => all.map((e) => [e.getAttribute('property'), e.content])"
        )
    )
    assert choice in tags["og:title"] and report.text("#wins-text") in tags["og:description"]
