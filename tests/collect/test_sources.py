"""PyPI, pypistats, the Hub, Scorecard and deps.dev: what they say becomes facts, and each may fail alone."""

from __future__ import annotations

import json
from datetime import date

import httpx
import pytest
from collecting import TODAY, collect, facts_of
from fake_github import FakeGitHub, World

from advisor.collect import sources as beside

SOURCES = (
    "scorecard",
    "pypi",
    "pypistats",
    "huggingface",
    "depsdev",
)  # a further source has a test of its own
NAMES = {"o/n": "My_Lib", "o/no-package": None}


def file(day, *, yanked=False):
    return {"upload_time_iso_8601": f"{day}T10:00:00.123456Z", "yanked": yanked, "filename": "x.whl"}


def answers():
    """As the sources document them: docs.pypi.org, pypistats.org/api, huggingface.co/docs/hub/api,
    scorecard.dev, docs.deps.dev."""
    return {
        "https://pypi.org/pypi/My_Lib/json": {
            "info": {"name": "my-lib", "version": "1.1", "requires_dist":
                     ["torch>=2", "numpy ; python_version < '3.9'", "numpy", "pytest; extra == 'dev'"]},
            "releases": {"1.0": [file("2026-01-05"), file("2026-01-04")], "1.1rc1": [file("2026-02-01")],
                         "1.1": [file("2026-03-01", yanked=True)], "0.0": []},
        },
        "https://pypistats.org/api/packages/my_lib/recent": {
            "data": {"last_day": 1, "last_week": 7, "last_month": 30_000}, "package": "my_lib", "type": "recent_downloads"},
        "https://huggingface.co/api/models?filter=my_lib&limit=1000": [{"id": str(i)} for i in range(1000)],
        "https://huggingface.co/api/models?cursor=2": [{"id": "last"}],
        "https://api.scorecard.dev/projects/github.com/o/n": {
            "date": "2026-11-20", "score": 7.2, "repo": {"name": "github.com/o/n", "commit": "0"},
            "checks": [{"name": "Maintained", "score": 10, "reason": "busy"}, {"name": "Fuzzing", "score": -1, "reason": "?"}]},
        "https://api.deps.dev/v3/systems/pypi/packages/my_lib": {
            "versions": [{"versionKey": {"system": "PYPI", "name": "my-lib", "version": v}, "isDefault": v == "1.0"}
                         for v in ("1.0", "1.1rc1")]},
        "https://api.deps.dev/v3/systems/pypi/packages/my_lib/versions/1.0": {
            "advisoryKeys": [{"id": "GHSA-1"}, {"id": "GHSA-2"}]},
        "https://api.deps.dev/v3alpha/systems/pypi/packages/my_lib/versions/1.0:dependents": {
            "dependentCount": 42, "directDependentCount": 40, "indirectDependentCount": 2},
    }  # fmt: skip


def run(tmp_path, known, sources=SOURCES, names=NAMES):
    def handler(request):
        url = str(request.url)
        if url not in known:
            return httpx.Response(404, json={"message": "not found"})
        if isinstance(known[url], int):
            return httpx.Response(known[url], text="no")
        following = (
            {"link": '<https://huggingface.co/api/models?cursor=2>; rel="next"'}
            if "limit=1000" in url
            else {}
        )
        return httpx.Response(200, content=json.dumps(known[url]), headers=following)

    return collect(None, tmp_path, names, sources=sources, wire=httpx.MockTransport(handler))[0]


def counts(tmp_path, part):
    rows = facts_of(tmp_path)[f"counts/o__n@{part}.parquet"]
    return {r["metric"]: r["value"] for r in rows}


def test_all_of_them(tmp_path):
    outcome = run(tmp_path, answers())
    assert [(m.repository, m.part) for m in outcome.missing] == [("o/no-package", "scorecard")]
    assert outcome.missing[0].is_final, "Scorecard publishes none: that is no failure"
    rows = {r["version"]: r for r in facts_of(tmp_path)["package_releases/o__n@pypi.parquet"]}
    assert {v: (r["released_on"], r["is_prerelease"], r["is_yanked"]) for v, r in rows.items()} == {
        "1.0": (date(2026, 1, 4), False, False), "1.1rc1": (date(2026, 2, 1), True, False),
        "1.1": (date(2026, 3, 1), False, True)}  # fmt: skip
    assert counts(tmp_path, "pypi") == {"requirements": 2}
    assert counts(tmp_path, "pypistats") == {"downloads_30d": 30_000}
    assert counts(tmp_path, "huggingface") == {"hub_models": 1001}
    assert counts(tmp_path, "scorecard") == {"scorecard": 7.2, "scorecard:Maintained": 10}
    assert counts(tmp_path, "depsdev") == {"advisories": 2, "dependents": 42}


@pytest.mark.parametrize(
    "host", ["pypi.org", "pypistats.org", "huggingface.co", "api.scorecard.dev", "api.deps.dev"]
)
@pytest.mark.parametrize("how", [503, 403, [], {"info": 3}, "text"])
def test_each_fails_alone(tmp_path, host, how):
    known = {url: how if f"//{host}/" in url else value for url, value in answers().items()}
    outcome = run(tmp_path, known, names={"o/n": "My_Lib"})
    failed = {m.part for m in outcome.missing if not m.is_final}
    hub_lists_nothing = host == "huggingface.co" and how == []
    assert len(failed) == (0 if hub_lists_nothing else 1)
    parts = {f.partition("@")[2].removesuffix(".parquet") for f in facts_of(tmp_path)}
    assert len({"pypi", "pypistats", "huggingface", "scorecard", "depsdev"} - parts) == len(failed)


def test_what_a_source_does_not_tell_is_no_fact(tmp_path):
    known = answers()
    pypi = "https://pypi.org/pypi/My_Lib/json"
    known[pypi] = {"info": {"name": "my-lib", "version": "1", "requires_dist": None}, "releases": {}}
    del known["https://api.deps.dev/v3alpha/systems/pypi/packages/my_lib/versions/1.0:dependents"]
    assert not [m for m in run(tmp_path, known, names={"o/n": "My_Lib"}).missing if not m.is_final]
    assert not [f for f in facts_of(tmp_path) if "pypi.parquet" in f]
    assert counts(tmp_path, "depsdev") == {"advisories": 2}


def test_an_answer_about_something_else_is_not_kept(tmp_path):
    known = answers()
    known["https://pypi.org/pypi/My_Lib/json"]["info"]["name"] = "your-lib"
    known["https://api.deps.dev/v3/systems/pypi/packages/my_lib"]["versions"].pop(0)
    found = {m.part: m.why for m in run(tmp_path, known, names={"o/n": "My_Lib"}).missing}
    assert found == {"pypi": "PyPI answers for another package than My_Lib",
                     "depsdev": "deps.dev names no default version of My_Lib"}  # fmt: skip


@pytest.mark.parametrize("day", ["0026-01-04", "2126-01-04"])
def test_a_time_that_cannot_be_is_unsound(tmp_path, day):
    known = answers()
    known["https://pypi.org/pypi/My_Lib/json"]["releases"]["1.0"] = [file(day)]
    (missing,) = run(tmp_path, known, sources=("pypi",), names={"o/n": "My_Lib"}).missing
    assert "a time outside of 1990 to 2100" in missing.why


def test_the_hubs_count_is_a_lower_bound_where_its_listing_does_not_end(tmp_path):
    known = answers()
    known["https://huggingface.co/api/models?cursor=2"] = [{"id": "x"}] * 1000

    def handler(request):
        return httpx.Response(200, json=[{"id": "x"}] * 1000,
                              headers={"link": '<https://huggingface.co/api/models?limit=1000>; rel="next"'})  # fmt: skip

    collect(None, tmp_path, {"o/n": "lib"}, sources=("huggingface",), wire=httpx.MockTransport(handler))
    (row,) = facts_of(tmp_path)["counts/o__n@huggingface.parquet"]
    assert (row["value"], row["low"], row["high"]) == (20_000, 20_000, None)
    assert "at least" in row["definition"]


def test_a_next_page_on_another_host_is_refused(tmp_path):
    def handler(request):
        assert request.url.host == "huggingface.co"
        return httpx.Response(200, json=[{}], headers={"link": '<https://evil.example/>; rel="next"'})

    outcome, _ = collect(
        None, tmp_path, {"o/n": "lib"}, sources=("huggingface",), wire=httpx.MockTransport(handler)
    )
    assert "not one of the hosts" in outcome.missing[0].why


def test_dated_totals_accumulate_and_a_day_has_one(tmp_path):
    from datetime import timedelta

    for later, downloads in ((0, 10), (0, 11), (30, 12)):
        known = {"https://pypistats.org/api/packages/my_lib/recent": {"data": {"last_month": downloads}}}
        collect(None, tmp_path, {"o/n": "My_Lib"}, sources=("pypistats",), now=TODAY + timedelta(days=later),
                wire=httpx.MockTransport(lambda r, k=known: httpx.Response(200, json=k[str(r.url)])))  # fmt: skip
    assert [r["value"] for r in facts_of(tmp_path)["counts/o__n@pypistats.parquet"]] == [11, 12]


def test_github_and_the_others_at_once(tmp_path):
    from collecting import Stalling

    world = World()
    world.add("o/n")
    fake, known = FakeGitHub(world), answers()

    class Both(Stalling):
        async def handle_async_request(self, request):
            if request.url.host == "127.0.0.1":
                return await super().handle_async_request(request)
            value = known.get(str(request.url))
            return httpx.Response(404 if value is None else 200, json=value)

    outcome, _ = collect(
        fake, tmp_path, {"o/n": "My_Lib"}, sources=("github", *beside.SOURCES), wire=Both(fake.app)
    )
    assert [m for m in outcome.missing if not m.is_final] == []
    assert {f.partition("/")[0] for f in facts_of(tmp_path)} == {"counts", "package_releases", "releases",
                                                                "repositories", "threads"}  # fmt: skip
