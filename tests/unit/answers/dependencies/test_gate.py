"""The gate of `rank --from`: what fails, what is left out, and the defaults and exceptions of [tool.advisor]."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from advisor.answers.dependencies import Dependency
from advisor.answers.dependencies.gate import Gate, decide, parse_share
from advisor.answers.dependencies.health import Dependencies, Exemption, Health
from advisor.answers.dependencies.selection import Selection, select_dependencies
from advisor.cli import app, load
from advisor.domain.licences import kind_of_licence
from advisor.errors import AdvisorError, InputError
from advisor.model import Candidate, ScoredCandidate
from advisor.report.dependencies.rows import headline

load(None)


def build_health(name, score, low, high):
    candidate = ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=low, high=high, coverage=0.75, excluded=False,
        criteria=(), findings=(), undecided=(), measurements=(),
    )  # fmt: skip
    return Health(Dependency("pypi", name, "r.txt"), f"o/{name}", ranked=candidate)


SURE, DOUBTFUL, FINE = (
    build_health("sure", 10.0, 5.0, 20.0),
    build_health("doubtful", 12.0, 4.0, 63.0),
    build_health("fine", 80.0, 70.0, 90.0),
)
LOST = Health(Dependency("npm", "@s/lost", "package.json"), unknown="its repository is not known")
ANSWER = Dependencies(("r.txt",), "balanced", {}, (SURE, DOUBTFUL, FINE), (LOST,))


def test_a_certain_failure_is_told_from_a_possible_one():
    decision = decide(ANSWER, Gate(fail_under=30.0))
    assert not decision.passes
    assert headline(decision.answer, 30.0) == "3 of 4 packages have a score; 2 are below 30 (1 for certain)"
    certain = decide(ANSWER, Gate(fail_under=30.0, is_certain=True))
    assert headline(certain.answer, 30.0) == "3 of 4 packages have a score; 1 is below 30 for certain"
    only_doubtful = Dependencies((), "g", {}, (DOUBTFUL,), ())
    assert not decide(only_doubtful, Gate(fail_under=30.0)).passes
    assert decide(only_doubtful, Gate(fail_under=30.0, is_certain=True)).passes


def test_what_is_not_known_can_fail():
    assert decide(ANSWER, Gate()).passes
    assert decide(ANSWER, Gate(min_share=0.75)).passes
    low = decide(ANSWER, Gate(min_share=0.76))
    assert not low.passes
    assert low.answer.problems == ("3 of 4 packages have a score (75%), and --min-known needs 76%",)
    unknown = decide(ANSWER, Gate(fails_unknown=True))
    assert (unknown.passes, unknown.answer.problems) == (False, ("--fail-unknown: no score for @s/lost",))
    assert decide(Dependencies((), "g", {}, (), ()), Gate(min_share=1.0, fails_unknown=True)).passes
    many = tuple(Health(Dependency("pypi", f"p{n:02}", "r.txt"), unknown="?") for n in range(12))
    (problem,) = decide(Dependencies((), "g", {}, (), many), Gate(fails_unknown=True)).answer.problems
    assert problem.endswith("p08, p09 and 2 more")


def test_an_exception_passes_until_its_last_day():
    exemptions = [Exemption("Sure", "we replace it", date(2026, 8, 1)), Exemption("@S/lost", "ours")]
    gate = Gate(fail_under=11.0, fails_unknown=True, exemptions=exemptions, day=date(2026, 8, 1))
    assert decide(ANSWER, gate).passes
    later = decide(ANSWER, Gate(11.0, exemptions=exemptions, day=date(2026, 8, 2)))
    assert not later.passes
    assert later.answer.notes == ("the exception for Sure ended on 2026-08-01: we replace it",)
    other = decide(ANSWER, Gate(exemptions=[Exemption("gone", "?")]))
    assert other.answer.notes == ("the exception for gone has no effect: no such package",)


@pytest.mark.parametrize(
    ("text", "share"), [("60%", 0.6), ("60", 0.6), ("0", 0.0), ("100 %", 1.0), ("2.5%", 0.025)]
)
def test_a_share(text, share):
    assert parse_share(text, "--min-known") == pytest.approx(share)


@pytest.mark.parametrize("text", ["101%", "half", "", "-1", "60%%"])
def test_no_share(text):
    with pytest.raises(InputError, match=r"invalid share .* for --min-known: expected a percentage"):
        parse_share(text, "--min-known")


def dependencies(*markers: str, **groups: tuple[str, ...]) -> list[Dependency]:
    return [
        *(Dependency("pypi", f"p{n}", "r.txt", marker=m) for n, m in enumerate(markers)),
        *(Dependency("pypi", n, "r.txt", groups=g) for n, g in groups.items()),
    ]


@pytest.mark.parametrize(("marker", "python", "platform", "is_needed"), [
    ('sys_platform == "win32"', "", "linux", False), ('sys_platform == "win32"', "3.12", "", True),
    ('os_name == "nt"', "", "windows", True), ('platform_system == "Darwin"', "", "macos", True),
    ('python_version < "3.12"', "3.12", "", False), ('python_version < "3.12"', "3.11", "", True),
    ('python_full_version >= "3.11.4"', "3.11.3", "", False), ('python_version < "3.12"', "", "linux", True),
    ('python_version < "3.12" and sys_platform == "win32"', "3.13", "", False),
    ('python_version < "3.12" or sys_platform == "win32"', "3.13", "", True),
    ('(python_version < "3" or platform_machine == "arm64") and sys_platform == "linux"', "3.13", "linux", True),
    ('(python_version < "3" or platform_machine == "no") and sys_platform == "linux"', "3.13", "linux", False),
    ('extra == "x" and python_version >= "3.8"', "3.13", "", True), ('extra == "x" and python_version < "3"', "3.13", "", False),
    ('platform_release >= "5"', "3.13", "linux", True), ("no condition", "3.13", "linux", True), ("", "3.13", "", True),
    ('implementation_name == "pypy" and python_version < "3.10"', "3.9", "", True),
])  # fmt: skip
def test_conditions_are_evaluated_for_a_python_and_a_platform(marker, python, platform, is_needed):
    selection = Selection(python=python, platform=platform)
    packages, notes = select_dependencies(dependencies(marker), selection)
    assert bool(packages) is is_needed and bool(notes) is not is_needed
    assert select_dependencies(dependencies(marker), Selection())[0]


def test_groups_are_left_out_if_nothing_else_needs_a_package():
    packages = dependencies("", a=("dev",), b=("dev", "Test_Group"), c=("docs",))
    selected, notes = select_dependencies(packages, Selection(without=("DEV", "test-group")))
    assert [d.name for d in selected] == ["p0", "c"]
    assert notes == ("left out: 2 packages only of the groups DEV, test-group",)
    with pytest.raises(
        InputError, match=r"--without deb: no package has this group; .*: Test_Group, dev, docs$"
    ):
        select_dependencies(packages, Selection(without=("deb",)))
    assert len(select_dependencies(packages, Selection(without=("deb",), may_lack_groups=True))[0]) == 4
    with pytest.raises(InputError, match="invalid version '2' for --python"):
        Selection(python="2")
    with pytest.raises(InputError, match="unknown platform 'beos'"):
        Selection(platform="beos")


@pytest.mark.parametrize(("licence", "kind"), [
    ("MIT", "permissive"), ("BSD-3-Clause", "permissive"), ("0BSD", "permissive"), ("GPL-3.0-only", "copyleft"),
    ("LGPL-2.1", "copyleft"), ("MPL-2.0", "copyleft"), ("SSPL-1.0", "restricted"), ("CC-BY-NC-4.0", "restricted"),
    ("CC-BY-SA-4.0", "copyleft"), ("MIT OR GPL-3.0", None), ("Saxpath", None), ("Mitre", None),
])  # fmt: skip
def test_the_kind_of_a_licence(licence, kind):
    assert kind_of_licence(licence) == kind


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Rank the dependencies of a small project; return the exit code, the report and the messages."""
    monkeypatch.chdir(tmp_path)

    def run(*words, table=""):
        (tmp_path / "pyproject.toml").write_text(PROJECT + table)
        return invoke("--from", "pyproject.toml", "--store", "bundled", *words)

    return run


def invoke(*words):
    result = CliRunner().invoke(app, ["rank", *words])
    if isinstance(result.exception, AdvisorError):
        return result.exception.exit_code, result.stdout, f"{result.stderr}{result.exception}"
    return result.exit_code, result.stdout, result.stderr


PROJECT = """[project]
name = "mine"
dependencies = ["flask", "ansible", "somebody-s-tool", "pywin32; sys_platform == 'win32'"]
[dependency-groups]
dev = ["torchtune"]
"""


def test_the_options_of_the_gate_on_real_facts(run):
    code, text, notes = run("--min-known", "60%", "--without", "dev", "--platform", "linux")
    assert (code, notes) == (0, "") and "torchtune" not in text and "pywin32" not in text
    assert "left out: 1 package not needed on linux" in text and "2 of 3 packages have a score" in text
    code, _, notes = run("--min-known", "90%", "--without", "dev", "--platform", "linux")
    assert code == 4 and "2 of 3 packages have a score (67%), and --min-known needs 90%" in notes
    code, _, notes = run("--fail-unknown")
    assert code == 4 and "--fail-unknown: no score for pywin32, somebody-s-tool" in notes
    assert run("--fail-under", "1")[0] == 4, "torchtune is excluded"


def test_a_licence_and_backers_exclude(run):
    code, text, _ = run("--license", "permissive", "--without", "dev", "--format", "json")
    answer = json.loads(text)
    assert code == 4 and answer["excluded"] == ["ansible"]
    ansible = next(e for e in answer["known"] if e["name"] == "ansible")
    assert ansible["details"]["licence"] == "GPL-3.0"
    assert any(
        "its licence is copyleft, not permissive: GPL-3.0" in f["text"] for f in ansible["ranked"]["findings"]
    )
    code, text, _ = run("--avoid", "listed-company", "--format", "json")
    assert code == 4 and "torchtune" in json.loads(text)["excluded"]


@pytest.mark.parametrize("words", [
    ["--model", "x"], ["--method", "lora"], ["--hardware", "amd"], ["--gpu-memory", "24GB"], ["--gpus", "2"],
    ["--prefer", "community"], ["--domain", "dataframes"], ["--category", "x"], ["--full"], ["--replay", "x.json"],
])  # fmt: skip
def test_an_option_that_means_nothing_is_refused(run, words):
    code, text, message = run(*words)
    assert (code, text) == (2, "") and f"{words[0]} means nothing with --from" in message


@pytest.mark.parametrize(
    "words", [["--min-known", "5%"], ["--without", "dev"], ["--fail-unknown"], ["--python", "3.12"]]
)
def test_an_option_of_the_gate_needs_a_file(words):
    code, _, message = invoke(*words)
    assert (code, message) == (2, f"missing option --from: {words[0]} needs it")


TABLE = """[tool.advisor]
fail-under = 99
min-known = "10%"
without = ["dev", "docs"]
platform = "linux"
[[tool.advisor.exceptions]]
package = "Flask"
reason = "we know its people"
expires = {expires}
[[tool.advisor.exceptions]]
package = "ansible"
reason = "only at build time"
"""


def test_the_table_of_a_project_has_defaults_and_exceptions(run):
    today = datetime.now(UTC).date()
    code, text, _ = run(table=TABLE.format(expires=today))
    assert code == 0
    assert f"passes until {today}: we know its people" in text and "torchtune" not in text
    assert run("--fail-unknown", table=TABLE.format(expires=today))[0] == 4
    code, text, _ = run(table=TABLE.format(expires=today - timedelta(1)))
    assert code == 4 and "the exception for Flask ended on" in text
    code, text, _ = run("--format", "sarif", table=TABLE.format(expires=today))
    suppressions = {
        r["message"]["text"].partition(":")[0]: r["suppressions"]
        for r in json.loads(text)["runs"][0]["results"]
    }
    assert suppressions["ansible"] == [{"kind": "external", "justification": "passes: only at build time"}]
    rows = list(csv.DictReader(run("--format", "csv", table=TABLE.format(expires=today))[1].splitlines()))
    assert next(r for r in rows if r["package"] == "ansible")["exception"] == "passes: only at build time"


@pytest.mark.parametrize(("table", "message"), [
    ("fail-unknown = 1", "fail-unknown: expected true or false"), ("without = 'dev'", "without: expected a list of texts"),
    ("exceptions = 1", "exceptions: expected tables"), ("exceptions = [{reason = 'x'}]", "each exception needs a package"),
    ("exceptions = [{package = 'x'}]", "each exception needs a reason"),
    ("exceptions = [{package = 'x', reason = 'y', expires = '2027-01-01'}]", "expires of x: expected a date"),
    ("exceptions = [{package = 'x', reason = 'y', until = 1}]", "unknown key 'until'"),
    ("min-known = 'most'", "invalid share 'most' for --min-known"), ("min-know = 5", "unknown setting 'min-know'"),
])  # fmt: skip
def test_a_wrong_table_is_refused(run, table, message):
    code, _, text = run(table=f"[tool.advisor]\n{table}\n")
    assert code == 2 and message in text
