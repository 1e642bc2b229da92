"""The page as a person meets it: opens quietly, answers, plays, travels, prints."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest

AXE_LEVELS = {"serious", "critical"}


def advisor(*args, **kwargs):
    return subprocess.run([sys.executable, "-m", "advisor", *args], capture_output=True, text=True, check=False, **kwargs)  # fmt: skip


def saved(opened, selector):
    with opened.page.expect_download() as caught:
        opened.page.click(selector)
    with caught.value.path().open(encoding="utf-8", newline="") as file:
        return caught.value.suggested_filename, file.read()


def ranking(opened):
    return opened.page.eval_on_selector_all(
        "#ranking-table tbody tr:not([hidden])",
        "(rows) => rows.map((r) => [...r.cells].map((c) => c.innerText.trim()))",
    )


def test_it_opens_quietly_and_asks_nobody(open_page, page_file):
    opened = open_page(page_file)
    opened.draw_everything()
    assert opened.said == []
    assert opened.asked == [page_file.as_uri()]
    drawn = opened.page.eval_on_selector_all(
        ".chart:not([hidden])", "(all) => all.map((c) => !!c.querySelector('svg.main-svg'))"
    )
    assert len(drawn) > 10
    assert all(drawn)
    assert opened.page.evaluate("window.shifts.reduce((a, b) => a + b, 0)") < 0.01


def test_the_first_paint_needs_no_script_and_says_the_same(open_page, page_file):
    bare, full = open_page(page_file.parent / page_file.name, java_script_enabled=True), None
    shown = {part: bare.text(part) for part in ("header", "#reasons", "#doubts", "#ranking-table", "#asides")}
    context = bare.page.context.browser.new_context(
        java_script_enabled=False, viewport={"width": 1400, "height": 900}
    )
    full = context.new_page()
    full.goto(page_file.as_uri())
    for part, text in shown.items():
        assert " ".join(full.inner_text(part).split()) == text, part
    assert "need JavaScript" in full.inner_text("#charts")
    context.close()


def test_sliders_goals_and_choice_rank_anew(open_page, page_file):
    opened = open_page(page_file)
    assert opened.text("#choice") == "trl"
    before = ranking(opened)
    opened.slide('[data-weight="backing"]', 90)
    assert ranking(opened)[0][1].split()[0] == "unsloth"
    assert opened.page.input_value("#goal") == ""
    shares = opened.page.eval_on_selector_all("[data-weight]", "(all) => all.map((e) => e.value)")
    assert shares == ["2", "2", "90", "2", "2", "1"]
    assert opened.text('[data-share="backing"]') == "90%"
    opened.page.select_option("#goal", "independence")
    assert opened.text("#goal-title") == "independence from one person or one company"
    opened.page.uncheck('#controls [data-candidate="0"]')
    assert "trl" not in {row[1].split()[0] for row in ranking(opened)}
    assert "was not compared" in opened.text("#leaving")
    opened.page.click("#reset")
    assert ranking(opened) == before
    assert opened.said == []


def test_the_last_weight_and_the_last_candidate_stay(open_page, page_file):
    opened = open_page(page_file)
    opened.slide('[data-weight="models"]', 100)
    opened.slide('[data-weight="models"]', 0)
    assert opened.text("#ranking-table tbody tr [data-cell=score]")
    assert opened.page.evaluate("advisor.state.weights.some((w) => w > 0)")
    for i in range(5):
        opened.page.set_checked(f'#controls [data-candidate="{i}"]', i == 4) if i < 4 else None
    opened.page.click('#controls [data-candidate="4"]')
    assert len(ranking(opened)) == 1
    assert opened.text("#headline") == "Nothing suitable"
    assert opened.said == []


def test_the_keyboard_moves_the_as_of_slider_into_the_past(open_page, page_file):
    opened = open_page(page_file)
    opened.page.focus("#day")
    for _ in range(12):
        opened.page.keyboard.press("ArrowLeft")
    assert opened.text("#as-of-text") == "31 July 2025"
    assert "2025-07-31" in opened.page.get_attribute("#as-of-text", "datetime")
    rows = {row[1].split()[0]: row for row in ranking(opened)}
    assert rows["torchtune"][0] != "out"
    opened.draw_everything()
    newest = opened.page.evaluate(
        "Math.max(...advisor.charts.figures.flatMap((f) => f.made.traces ?? []).flatMap((t) => t.x).filter((x) => typeof x === 'string').map(Date.parse))"
    )
    assert newest <= 1753920000000  # 2025-07-31: no chart shows what was not known then


def test_the_state_is_in_the_address(open_page, page_file):
    opened = open_page(page_file)
    opened.slide('[data-weight="models"]', 80)
    opened.slide("#day", 20)
    opened.page.uncheck('#controls [data-candidate="3"]')
    opened.page.wait_for_function("() => location.hash.includes('only')")
    address, shown = opened.page.url.partition("#")[2], ranking(opened)
    assert {"w", "as-of", "only"} <= {part.partition("=")[0] for part in address.split("&")}
    again = open_page(page_file, f"#{address}")
    assert ranking(again) == shown
    again.page.evaluate("location.hash = ''")
    again.page.wait_for_function(
        "() => document.querySelectorAll('#ranking-table tbody tr:not([hidden])').length === 5"
    )


@pytest.mark.parametrize("address", ["#goal=__proto__&w=models:NaN,issues:-1&as-of=x&only=nobody", "#w=models:0", "#%%%", "#only=",
                                     "#goal=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"])  # fmt: skip
def test_a_strange_address_is_left_aside(open_page, page_file, address):
    opened = open_page(page_file, address)
    assert opened.text("#choice") == "trl"
    assert len(ranking(opened)) == 5
    assert opened.said == []


def test_a_saved_view_is_reproduced_by_rank(open_page, page_file, tmp_path):
    opened = open_page(page_file)
    opened.slide('[data-weight="models"]', 90)
    opened.slide("#day", 25)
    opened.page.uncheck('#controls [data-candidate="2"]')
    name, text = saved(opened, "#export")
    view = tmp_path / name
    view.write_text(text)
    done = advisor("rank", "--replay", str(view), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    shown, found = json.loads(text), json.loads(done.stdout)
    assert (found["choice"], found["certainty"], found["as_of"]) == (
        shown["answer"]["choice"], shown["answer"]["certainty"], shown["as_of"])  # fmt: skip
    assert [r["candidate"]["repository"] for r in found["ranking"]] == [
        r["repository"] for r in shown["answer"]["ranking"]
    ]
    shown["answer"]["ranking"][0]["score"] += 5
    view.write_text(json.dumps(shown))
    assert "scores" in advisor("rank", "--replay", str(view)).stderr


def test_any_table_is_saved_as_csv(open_page, page_file):
    opened = open_page(page_file)
    name, text = saved(opened, "#ranking + * button.csv, button.csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert (name, rows[0][:3], rows[1][1]) == (
        "ranking.csv",
        ["Rank", "Candidate", "Score"],
        "trl Hugging Face",
    )
    opened.draw_everything()
    figures = opened.page.evaluate("advisor.charts.figures.filter((f) => f.made.table).map((f) => f.id)")
    assert len(figures) > 8
    for figure in figures:
        opened.page.click(f"#figure-{figure} summary")
        name, text = saved(opened, f"#figure-{figure} details button")
        rows = list(csv.reader(io.StringIO(text)))
        assert name == f"{figure}.csv"
        assert len(rows) > 2 and len({len(r) for r in rows}) == 1
    assert opened.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious(open_page, page_file, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    opened = open_page(
        page_file, color_scheme=scheme, viewport={"width": width, "height": 844}, bypass_csp=True
    )
    opened.draw_everything()
    opened.page.click("#figure-criteria summary")
    opened.page.click("#figure-closed-share summary")
    found = Axe().run(opened.page).response["violations"]
    said = [
        (v["id"], v["impact"], v["nodes"][0]["html"][:200], v["nodes"][0].get("failureSummary"))
        for v in found
    ]
    assert [s for s in said if s[1] in AXE_LEVELS] == []


def test_a_phone_needs_no_sideways_scrolling(open_page, page_file):
    opened = open_page(page_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    opened.draw_everything()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    opened.slide('[data-weight="adoption"]', 100)
    assert opened.said == []


def test_both_schemes_have_their_own_ground(open_page, page_file):
    grounds = [open_page(page_file, color_scheme=s).page.evaluate("getComputedStyle(document.body).backgroundColor")
               for s in ("light", "dark")]  # fmt: skip
    assert grounds == ["rgb(255, 255, 255)", "rgb(18, 21, 25)"]


def test_it_prints_light_and_narrow_with_all_charts_even_from_the_dark(open_page, page_file):
    opened = open_page(page_file, color_scheme="dark")
    opened.page.evaluate("() => advisor.charts.load().then(() => true)")
    before = opened.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')")
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    on_paper = opened.page.evaluate(
        """() => advisor.charts.figures.filter((f) => f.made.traces).map((f) => ({ id: f.id,
            widths: [...f.place.querySelectorAll('svg.main-svg')].map((s) => Number(s.getAttribute('width'))),
            text: f.place.querySelector('.xtick text').style.fill }))"""
    )
    assert len(on_paper) > 10
    for figure in on_paper:
        assert figure["widths"] and max(figure["widths"]) <= 670, figure
        assert figure["text"] == "rgb(22, 25, 29)", figure  # --text of the light scheme
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert (
        opened.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--text')")
        == before
    )
    assert opened.page.pdf()[:5] == b"%PDF-"
    opened.page.emulate_media(media="print")
    assert not opened.page.is_visible("#play")
    assert opened.page.is_visible("#choice")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.said == []


def test_before_plotly_is_there_paper_shows_the_tables(open_page, page_file):
    opened = open_page(page_file)
    opened.page.evaluate("() => { window.Plotly = undefined; dispatchEvent(new Event('beforeprint')); }")
    told = "advisor.charts.figures.filter((f) => f.made.traces).map((f) => [f.place.hidden, f.table.box.open, f.box.querySelectorAll('details tbody tr').length])"
    on_paper = opened.page.evaluate(told)
    assert len(on_paper) > 10
    assert all(hidden and is_open and rows for hidden, is_open, rows in on_paper)
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not any(hidden or is_open for hidden, is_open, _ in opened.page.evaluate(told))


def test_the_keyboard_alone_is_enough(open_page, page_file):
    opened = open_page(page_file)
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        seen = opened.page.evaluate(
            "(() => { const e = document.activeElement; return [e.id || e.dataset.weight || e.dataset.candidate || e.tagName,"
            " getComputedStyle(e).outlineStyle]; })()"
        )
        reached.add(seen[0])
        if seen[0] == "backing":
            opened.page.keyboard.press("End")
        if seen[0] == "export":
            break
        assert seen[1] != "none", seen  # where one stands is seen
    assert {"goal", "contributors", "models", "day", "0", "4", "reset", "link", "export"} <= reached
    assert opened.text('[data-share="backing"]') == "100%"
    assert opened.said == []


def test_what_was_asked_for_is_on_the_page_and_in_the_saved_view(open_page, tmp_path):
    done = advisor("rank", "--model", "google/gemma-2-9b", "--prefer", "start-up", "--format", "html", "--store", "bundled")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    file = tmp_path / "asked.html"
    file.write_text(done.stdout, encoding="utf-8")
    plain = json.loads(advisor("rank", "--model", "google/gemma-2-9b", "--prefer", "start-up", "--format", "json", "--store", "bundled").stdout)  # fmt: skip
    opened = open_page(file)
    assert opened.page.inner_text("#choice") == plain["choice"].partition("/")[2]
    assert opened.page.get_attribute("#confidence", "data-certainty") == plain["certainty"]
    for said in plain["asked"]:
        assert " ".join(said.split()) in opened.text("#needs")
    opened.slide('[data-weight="models"]', 60)
    name, text = saved(opened, "#export")
    (tmp_path / name).write_text(text)
    again = advisor("rank", "--replay", str(tmp_path / name), "--format", "json", "--store", "bundled")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout)["choice"] == json.loads(text)["answer"]["choice"]
    assert opened.said == []


def test_the_figures_are_valid_plotly(open_page, page_file):
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs_version

    opened = open_page(page_file)
    opened.draw_everything()
    figures = opened.page.evaluate(
        "advisor.charts.figures.filter((f) => f.made.traces).map((f) => ({data: f.made.traces, layout: f.made.layout}))"
    )
    assert len(figures) > 10
    for figure in figures:
        go.Figure(figure)  # raises on an attribute that plotly does not know
    assert opened.page.evaluate("Plotly.version") == get_plotlyjs_version()


def test_a_picture_is_taken_when_the_page_is_ready(chromium_path, tmp_path):
    import struct

    done = advisor(
        "dashboard", "-o", str(tmp_path / "r.html"), "--months", "3", "--png", str(tmp_path / "r.png")
    )
    assert (done.returncode, done.stderr) == (0, "")
    picture = (tmp_path / "r.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (1440, 1000)
