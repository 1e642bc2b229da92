"""What the page names can be opened, copied and looked up: repositories, tags, commits, packages, definitions."""

from __future__ import annotations

import re

from chart_facts import read_projects

from advisor.answers.question import Request, read_request

ANCHORS = "(all) => all.map((a) => [a.innerText, a.href, a.target, a.rel])"


def test_each_candidate_has_its_repository_package_licence_and_install_line(open_page, page_file):
    question = read_request(Request())
    projects = read_projects(question.facts)
    report = open_page(page_file, permissions=["clipboard-read", "clipboard-write"])
    report.page.click("#projects > summary")
    rows = report.page.locator("#projects tbody tr")
    assert rows.count() == len(question.candidates)
    text = report.text("#projects")
    hrefs = {href for _, href, _, _ in report.page.eval_on_selector_all("#projects a", ANCHORS)}
    for c in question.candidates:
        assert f"https://github.com/{c.repository}" in hrefs
        assert f"https://pypi.org/project/{c.package}/" in hrefs
        assert c.backer_source in hrefs
        assert f"pip install {c.package}" in text
        assert projects[c.repository].licence in text and projects[c.repository].licence
    ranking = report.page.eval_on_selector_all("#ranking-table tbody th a", ANCHORS)
    assert {href for _, href, _, _ in ranking} == {f"https://github.com/{c.repository}" for c in question.candidates}  # fmt: skip
    assert {(target, rel) for _, _, target, rel in ranking} == {("_blank", "noopener noreferrer")}
    report.page.click("#projects button[aria-label='Copy pip install trl']")
    report.page.wait_for_function("() => document.querySelector('#projects [role=status]').textContent")
    assert report.page.evaluate("navigator.clipboard.readText()") == "pip install trl"
    assert report.messages == [] and report.requests == [page_file.as_uri()]


def test_the_sentence_of_a_readme_leads_to_its_line_of_history(open_page, page_file):
    torchtune = read_projects(read_request(Request()).facts)["pytorch/torchtune"]
    report = open_page(page_file)
    report.page.click("#projects > summary")
    [(text, href, _, _)] = report.page.eval_on_selector_all("#projects td small a", ANCHORS)
    assert text == f"“{torchtune.statement}”" and "no longer" in text
    assert re.fullmatch(rf"https://github\.com/pytorch/torchtune/blob/{torchtune.commit}/README\.md", href)


def test_tags_and_sources_in_the_tables_are_links(open_page, page_file):
    report = open_page(page_file)
    report.page.click("#figure-releases summary")  # the page fills a table when it opens
    report.page.wait_for_selector("#figure-releases tbody a")
    tags = report.page.eval_on_selector_all("#figure-releases tbody a", ANCHORS)
    known = set(map(tuple, report.page.evaluate("advisor.data.releases.map((r) => [advisor.data.candidates[r[0]].repository, r[2]])")))  # fmt: skip
    assert {(h.removeprefix("https://github.com/").partition("/releases/tag/")[0], t) for t, h, _, _ in tags} == known  # fmt: skip
    report.page.click("#figure-everything summary")
    report.page.wait_for_selector("#figure-everything tbody td a")
    sources = report.page.eval_on_selector_all("#figure-everything tbody td a", ANCHORS)
    histories = {h for t, h, _, _ in sources if t.startswith("git:")}
    assert histories and all(re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/tree/[0-9a-f]{7,40}", h) for h in histories)  # fmt: skip
    lists = {t: h for t, h, _, _ in sources if t.endswith(".csv")}
    assert lists
    for text, href in lists.items():
        repository, _, rest = text.partition("@")
        commit, _, path = rest.partition(" ")
        assert href == f"https://github.com/{repository}/blob/{commit}/{path}"


def test_a_click_on_a_release_opens_its_tag(open_page, page_file):
    report = open_page(page_file)
    report.draw_all()
    report.page.evaluate("window.open = (address) => { window.opened = address; }")
    report.page.evaluate(
        """() => { const f = advisor.charts.figures.find((f) => f.id === 'releases');
        f.place.emit('plotly_click', { points: [{ customdata: f.chart.traces[0].customdata.at(-1) }] }); }"""
    )
    name, tag = report.page.evaluate(
        "(() => { const r = advisor.data.releases.filter((x) => x[0] === advisor.answer.rows[0].i).at(-1); return [advisor.data.candidates[r[0]].repository, r[2]]; })()"
    )
    assert report.page.evaluate("window.opened") == f"https://github.com/{name}/releases/tag/{tag}"


def test_a_definition_shows_on_hover_and_focus(open_page, page_file):
    report = open_page(page_file)
    report.draw_all()
    term = report.page.locator("#figure-contributors .term").first
    term.scroll_into_view_if_needed()
    assert not report.page.is_visible("#tip")
    term.hover()
    definition = report.page.evaluate("advisor.data.metrics.contributors.definition")
    assert definition in report.page.text_content("#tip") and report.page.is_visible("#tip")
    assert term.get_attribute("aria-describedby") == "tip"
    report.page.keyboard.press("Escape")
    assert not report.page.is_visible("#tip")
    report.page.focus("th[data-criterion='0']")
    report.page.wait_for_function("() => document.querySelector('#tip').textContent.includes('Contributors')")
    assert report.page.is_visible("#tip")
    box = report.page.eval_on_selector("#tip", "(e) => [e.getBoundingClientRect().left, e.getBoundingClientRect().right]")  # fmt: skip
    assert box[0] >= 0 and box[1] <= 1400
