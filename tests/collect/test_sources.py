"""PyPI, pypistats, the Hub, Scorecard and deps.dev become facts; an error of one does not stop the others."""

from __future__ import annotations

import json
from datetime import date

import httpx
import pytest
from collecting import TODAY, collect, read_all_facts
from fake_github import FakeGitHub, World

from advisor.collect import sources as source_registry

SOURCES = (
    "scorecard",
    "pypi",
    "pypistats",
    "huggingface",
    "depsdev",
)  # a new source has its own test
NAMES = {"o/n": "My_Lib", "o/no-package": None}


def make_file(day, *, is_yanked=False):
    return {"upload_time_iso_8601": f"{day}T10:00:00.123456Z", "yanked": is_yanked, "filename": "x.whl"}


def list_responses():
    """Responses as the sources document them: docs.pypi.org, pypistats.org/api, huggingface.co/docs/hub/api,
    scorecard.dev, docs.deps.dev."""
    return {
        "https://pypi.org/pypi/My_Lib/json": {
            "info": {"name": "my-lib", "version": "1.1", "requires_dist":
                     ["torch>=2", "numpy ; python_version < '3.9'", "numpy", "pytest; extra == 'dev'"]},
            "releases": {"1.0": [make_file("2026-01-05"), make_file("2026-01-04")], "1.1rc1": [make_file("2026-02-01")],
                         "1.1": [make_file("2026-03-01", is_yanked=True)], "0.0": []},
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


def run(tmp_path, responses, sources=SOURCES, names=NAMES):
    def handler(request):
        url = str(request.url)
        if url not in responses:
            return httpx.Response(404, json={"message": "not found"})
        if isinstance(responses[url], int):
            return httpx.Response(responses[url], text="no")
        following = (
            {"link": '<https://huggingface.co/api/models?cursor=2>; rel="next"'}
            if "limit=1000" in url
            else {}
        )
        return httpx.Response(200, content=json.dumps(responses[url]), headers=following)

    return collect(None, tmp_path, names, sources=sources, wire=httpx.MockTransport(handler))[0]


def read_counts(tmp_path, part):
    rows = read_all_facts(tmp_path)[f"counts/o__n@{part}.parquet"]
    return {r["metric"]: r["value"] for r in rows}


def test_all_of_them(tmp_path):
    outcome = run(tmp_path, list_responses())
    assert [(m.repository, m.part) for m in outcome.missing] == [("o/no-package", "scorecard")]
    assert outcome.missing[0].is_final, "Scorecard has no result: that is not a failure"
    rows = {r["version"]: r for r in read_all_facts(tmp_path)["package_releases/o__n@pypi.parquet"]}
    assert {v: (r["released_on"], r["is_prerelease"], r["is_yanked"]) for v, r in rows.items()} == {
        "1.0": (date(2026, 1, 4), False, False), "1.1rc1": (date(2026, 2, 1), True, False),
        "1.1": (date(2026, 3, 1), False, True)}  # fmt: skip
    assert read_counts(tmp_path, "pypi") == {"requirements": 2}
    assert read_counts(tmp_path, "pypistats") == {"downloads_30d": 30_000}
    assert read_counts(tmp_path, "huggingface") == {"hub_models": 1001}
    assert read_counts(tmp_path, "scorecard") == {"scorecard": 7.2, "scorecard:Maintained": 10}
    assert read_counts(tmp_path, "depsdev") == {"advisories": 2, "dependents": 42}


@pytest.mark.parametrize(
    "host", ["pypi.org", "pypistats.org", "huggingface.co", "api.scorecard.dev", "api.deps.dev"]
)
@pytest.mark.parametrize("how", [503, 403, [], {"info": 3}, "text"])
def test_each_source_fails_alone(tmp_path, host, how):
    responses = {url: how if f"//{host}/" in url else value for url, value in list_responses().items()}
    outcome = run(tmp_path, responses, names={"o/n": "My_Lib"})
    failures = {m.part for m in outcome.missing if not m.is_final}
    hub_lists_nothing = host == "huggingface.co" and how == []
    assert len(failures) == (0 if hub_lists_nothing else 1)
    parts = {f.partition("@")[2].removesuffix(".parquet") for f in read_all_facts(tmp_path)}
    assert len({"pypi", "pypistats", "huggingface", "scorecard", "depsdev"} - parts) == len(failures)


def test_missing_fields_of_a_response_are_no_facts(tmp_path):
    responses = list_responses()
    pypi = "https://pypi.org/pypi/My_Lib/json"
    responses[pypi] = {"info": {"name": "my-lib", "version": "1", "requires_dist": None}, "releases": {}}
    del responses["https://api.deps.dev/v3alpha/systems/pypi/packages/my_lib/versions/1.0:dependents"]
    assert not [m for m in run(tmp_path, responses, names={"o/n": "My_Lib"}).missing if not m.is_final]
    assert not [f for f in read_all_facts(tmp_path) if "pypi.parquet" in f]
    assert read_counts(tmp_path, "depsdev") == {"advisories": 2}


def test_response_about_another_package_is_an_error(tmp_path):
    responses = list_responses()
    responses["https://pypi.org/pypi/My_Lib/json"]["info"]["name"] = "your-lib"
    responses["https://api.deps.dev/v3/systems/pypi/packages/my_lib"]["versions"].pop(0)
    reasons = {m.part: m.reason for m in run(tmp_path, responses, names={"o/n": "My_Lib"}).missing}
    assert reasons == {"pypi": "PyPI returned another package than My_Lib",
                     "depsdev": "deps.dev has no default version of My_Lib"}  # fmt: skip


@pytest.mark.parametrize("day", ["0026-01-04", "2126-01-04"])
def test_impossible_time_is_an_error(tmp_path, day):
    responses = list_responses()
    responses["https://pypi.org/pypi/My_Lib/json"]["releases"]["1.0"] = [make_file(day)]
    (missing,) = run(tmp_path, responses, sources=("pypi",), names={"o/n": "My_Lib"}).missing
    assert "a time outside 1990 to 2100" in missing.reason


def test_count_of_the_hub_is_a_lower_bound_for_an_endless_list(tmp_path):
    responses = list_responses()
    responses["https://huggingface.co/api/models?cursor=2"] = [{"id": "x"}] * 1000

    def handler(request):
        return httpx.Response(200, json=[{"id": "x"}] * 1000,
                              headers={"link": '<https://huggingface.co/api/models?limit=1000>; rel="next"'})  # fmt: skip

    collect(None, tmp_path, {"o/n": "lib"}, sources=("huggingface",), wire=httpx.MockTransport(handler))
    (row,) = read_all_facts(tmp_path)["counts/o__n@huggingface.parquet"]
    assert (row["value"], row["low"], row["high"]) == (20_000, 20_000, None)
    assert "at least" in row["definition"]


def test_next_page_on_another_host_is_an_error(tmp_path):
    def handler(request):
        assert request.url.host == "huggingface.co"
        return httpx.Response(200, json=[{}], headers={"link": '<https://evil.example/>; rel="next"'})

    outcome, _ = collect(
        None, tmp_path, {"o/n": "lib"}, sources=("huggingface",), wire=httpx.MockTransport(handler)
    )
    assert "not a host that this command may send requests to" in outcome.missing[0].reason


def test_dated_totals_accumulate_with_one_per_day(tmp_path):
    from datetime import timedelta

    for later, downloads in ((0, 10), (0, 11), (30, 12)):
        responses = {"https://pypistats.org/api/packages/my_lib/recent": {"data": {"last_month": downloads}}}
        collect(None, tmp_path, {"o/n": "My_Lib"}, sources=("pypistats",), now=TODAY + timedelta(days=later),
                wire=httpx.MockTransport(lambda r, k=responses: httpx.Response(200, json=k[str(r.url)])))  # fmt: skip
    assert [r["value"] for r in read_all_facts(tmp_path)["counts/o__n@pypistats.parquet"]] == [11, 12]


def test_github_and_other_sources_together(tmp_path):
    from collecting import TransportWithTimeouts

    world = World()
    world.add("o/n")
    fake, responses = FakeGitHub(world), list_responses()

    class Both(TransportWithTimeouts):
        async def handle_async_request(self, request):
            if request.url.host == "127.0.0.1":
                return await super().handle_async_request(request)
            value = responses.get(str(request.url))
            return httpx.Response(404 if value is None else 200, json=value)

    outcome, _ = collect(
        fake, tmp_path, {"o/n": "My_Lib"}, sources=("github", *source_registry.SOURCES), wire=Both(fake.app)
    )
    assert [m for m in outcome.missing if not m.is_final] == []
    assert {f.partition("/")[0] for f in read_all_facts(tmp_path)} == {"counts", "package_releases", "releases",
                                                                "repositories", "threads"}  # fmt: skip
