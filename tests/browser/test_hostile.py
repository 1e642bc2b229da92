"""Hostile names, descriptions, tags and READMEs appear as text and do nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from advisor.answers.history import Release, Support, read_timeline
from advisor.answers.question import Request, read_request
from advisor.answers.recommend import recommend
from advisor.model import Finding
from advisor.report.dashboard import render

EVIL = [
    '"><script>window.pwned=1</script>',
    "</script><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    "<img src=x onerror=window.pwned=1><b>bold</b>",
    "\u202eevil\u2066\u200f{{7*7}}'\"`${window.pwned=1}",
    "=HYPERLINK('x')" + "n" * 10_000,
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    request = Request()
    question = read_request(request)
    answer = recommend(question)
    timeline = read_timeline(question, 14)
    names = {c.repository: EVIL[i] for i, c in enumerate(question.candidates)}

    def candidate(c):
        return replace(c, repository=names[c.repository], name=names[c.repository], backer=EVIL[0])

    def change(r):
        findings = (Finding("evil", "warn", EVIL[1]), Finding("evil", "prefer", EVIL[3]))
        return r and replace(r, candidate=candidate(r.candidate), findings=r.findings + findings, measurements=tuple(
            replace(m, sources=(EVIL[0], EVIL[2]), reason=EVIL[1]) for m in r.measurements))  # fmt: skip

    domain = question.domain.model_copy(
        update={
            "title": EVIL[1],
            "question": EVIL[0],
            "default": names["huggingface/trl"],
            "default_reason": EVIL[3],
        }
    )
    question = replace(question, domain=domain, candidates=tuple(map(candidate, question.candidates)))
    text = render(
        replace(answer, choice=names[answer.choice], default=names[answer.default], reasons=tuple(EVIL), doubts=tuple(EVIL),
                leaving_default=tuple(EVIL), ranking=tuple(map(change, answer.ranking)), missing={EVIL[5]: EVIL[0]}),
        replace(timeline, question=question, candidates={names[k]: tuple(map(change, v)) for k, v in timeline.candidates.items()},
                born={names[k]: v for k, v in timeline.born.items()},
                issues=tuple(replace(i, repository=names[i.repository], source=EVIL[0]) for i in timeline.issues),
                releases=tuple(Release(names[r.repository], EVIL[n % 6], r.day, r.is_prerelease) for n, r in enumerate(timeline.releases)),
                support=tuple(Support(names[s.repository], EVIL[1] + s.family, EVIL[3], s.family_released_on, s.supported_on, s.removed_on, s.known_until) for s in timeline.support)),
    )  # fmt: skip
    file = tmp_path_factory.mktemp("hostile") / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [390, 1400])
def test_hostile_text_appears_as_text(open_page, hostile, width):
    report = open_page(hostile, viewport={"width": width, "height": 900})
    report.draw_all()
    report.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    report.slide('[data-weight="models"]', 77)
    report.draw_all()
    assert report.page.evaluate("window.pwned") is None
    assert report.messages == []
    assert report.requests == [hostile.as_uri()]
    assert report.page.locator("img, b:has-text('bold') >> css=b, iframe, object, a:not(.skip)").count() == 0
    assert report.page.locator("script:not([type])").count() == 3  # the loader, that of the page, and plotly
    text_of_page = report.page.inner_text("body")
    for text in EVIL:
        assert " ".join(text.split())[:60] in " ".join(text_of_page.split())
    labels = report.page.evaluate(
        "[...document.querySelectorAll('.chart svg text')].map((t) => t.textContent).join(' ')"
    )
    assert '"><script>' in labels and "bold" not in report.page.evaluate(
        "[...document.querySelectorAll('.chart svg tspan[style*=bold], .chart svg a')].map((t) => t.textContent).join(' ')"
    )
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_policy_forbids_what_the_page_does_not_need(hostile):
    text = hostile.read_text()
    policy = text.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    assert text.index("Content-Security-Policy") < text.index("<style")


def test_a_script_slipped_into_the_file_does_not_run(open_page, page_file, tmp_path):
    file = tmp_path / "tampered.html"
    file.write_text(
        page_file.read_text().replace(
            "</main>", "<script>window.pwned=1</script><p onclick='window.pwned=2' id='x'>x</p></main>"
        )
    )
    report = open_page(file)
    report.page.click("#x")
    assert report.page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in line for line in report.messages)
