"""What a report shows apart from scores: paths, licences, imports, and the limits of GitHub."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from advisor.answers.dependencies import Dependency, files
from advisor.answers.dependencies.details import Details
from advisor.answers.dependencies.health import (
    Dependencies,
    Exemption,
    Health,
    bundled_stores,
    open_stores,
    rank_dependencies,
)
from advisor.answers.dependencies.imports import count_importing_files
from advisor.answers.question import Request
from advisor.domain.domain import load_domain
from advisor.facts import writing
from advisor.model import Candidate, Finding, ScoredCandidate
from advisor.report.dependencies import csv as csv_report
from advisor.report.dependencies import html, markdown, sarif, text
from advisor.report.dependencies import json as json_report
from advisor.report.dependencies.rows import details, need, risks


def build_health(name, score=30.0, *, findings=(), **more):
    candidate = ScoredCandidate(
        candidate=Candidate(f"o/{name}", name), score=score, low=score, high=score, coverage=0.75, excluded=False,
        criteria=(), findings=findings, undecided=(), measurements=(),
    )  # fmt: skip
    return Health(Dependency("pypi", name, "uv.lock", **more), f"o/{name}", "", candidate, date(2026, 7, 1))


WARN = Finding("few-people", "warn", "one person does it all <b>")


@pytest.mark.parametrize(("more", "expected"), [
    ({}, "the project"), ({"groups": ("dev",)}, "the project (dev)"), ({"parents": None}, "?"),
    ({"parents": ("flask", "jinja2"), "groups": ("dev", "docs")}, "flask › jinja2 (dev, docs)"),
])  # fmt: skip
def test_who_needs_a_package(more, expected):
    assert need(build_health("a", **more)) == expected


def test_facts_and_lists_give_licence_downloads_and_dependents():
    stores = open_stores(bundled_stores())
    wishes = [Dependency("pypi", n, "r.txt", version="1.0", size_bytes=5 * 2**20) for n in ("trl", "ansible")]
    answer = rank_dependencies(wishes, stores, Request(), ["r.txt"])
    known = {h.dependency.name: h.details for h in answer.known}
    assert (known["ansible"].licence, known["ansible"].licence_source) == (
        "GPL-3.0",
        "public list, 2026-06-25",
    )
    assert known["ansible"].dependents > 1000
    assert known["trl"].licence.lower() == "apache-2.0" and "its repository" in known["trl"].licence_source
    assert known["trl"].dependents is None  # the list counted 7,885 in April 2025, and then only 1
    assert all(d.downloads > 100_000 and d.download_bytes == 5 * 2**20 for d in known.values())


def test_a_withdrawn_version_is_a_risk(tmp_path):
    about = {"repository": "o/lib", "source": "pypi", "retrieved_at": "2026-01-02"}
    versions = (("lib", "1.0", True), ("other", "1.0", False))
    releases = [
        {
            **about,
            "package": p,
            "version": v,
            "released_on": "2025-01-01",
            "is_prerelease": False,
            "is_yanked": y,
        }
        for p, v, y in versions
    ]
    writing.write_rows(tmp_path, "package_releases", "o/lib", releases, part="pypi")
    counts = [{**about, "day": "2026-01-01", "metric": "stars", "value": 5}]
    writing.write_rows(tmp_path, "counts", "o/lib", counts)
    wishes = [
        Dependency("pypi", name, "r.txt", version=version, repository="o/lib")
        for name, version in (("lib", "1.0"), ("other", "1.0"), ("unpinned", None))
    ]
    answer = rank_dependencies(wishes, open_stores([tmp_path]), Request(), ["r.txt"])
    packages = (*answer.known, *answer.unknown)
    assert [h.details.is_yanked for h in packages] == [True, False, None]
    assert risks(packages[0])[-1] == "its index withdrew version 1.0"
    (result,) = json.loads(sarif.render(answer))["runs"][0]["results"]
    assert (result["ruleId"], result["message"]["text"]) == (
        "yanked-version",
        "lib: its index withdrew version 1.0",
    )


NPM_3 = """{"lockfileVersion": 3, "packages": {"": {"dependencies": {"request": "2", "b": "1", "react": "18"}},
 "node_modules/request": {"version": "2.88.2", "deprecated": "request is <b>gone</b> | see\\n #3142\\u001b[31m"},
 "node_modules/b": {"version": "1.0.0", "deprecated": ""}, "node_modules/c": {"version": "1.0.0", "deprecated": true},
 "node_modules/react": {"version": "18.2.0", "deprecated": {"no": "text"}}}}"""
PNPM_9 = """lockfileVersion: '9.0'
importers: {.: {dependencies: {request: {specifier: ^2, version: 2.88.2}}}}
packages:
  request@2.88.2: {resolution: {integrity: x}, deprecated: request is gone}
"""


def test_a_deprecated_version_in_a_lock_file_is_a_risk(tmp_path):
    (tmp_path / "package-lock.json").write_text(NPM_3)
    (tmp_path / "pnpm-lock.yaml").write_text(PNPM_9)
    packages = files.read_dependencies([tmp_path / "package-lock.json"])
    message = "request is <b>gone</b> | see #3142\N{REPLACEMENT CHARACTER}[31m"
    assert {p.name: p.deprecation for p in packages} == {
        "request": message, "b": "", "c": "without a reason", "react": "",
    }  # fmt: skip
    answer = rank_dependencies(packages, open_stores(bundled_stores()), Request(), ["package-lock.json"])
    health = {h.dependency.name: h for h in (*answer.known, *answer.unknown)}
    assert risks(health["request"])[-1] == f"version 2.88.2 is deprecated: {message}"
    assert risks(health["b"]) == []
    assert f"is deprecated: {message}" in " ".join(text.render(answer).split())
    assert r"request is \<b\>gone" in markdown.render(answer)
    results = json.loads(sarif.render(answer))["runs"][0]["results"]
    alerts = {(r["ruleId"], r["message"]["text"].partition(":")[0]) for r in results}
    assert {("deprecated-version", "request (npm)"), ("deprecated-version", "c (npm)")} <= alerts
    (package,) = files.read_dependencies([tmp_path / "pnpm-lock.yaml"])
    assert package.deprecation == "request is gone"


def test_a_repository_under_an_earlier_name_is_the_same():
    domain = load_domain("finetuning")
    candidate = next(c for c in domain.candidates if c.formerly)
    wish = Dependency("pypi", "x", "r.txt", repository=candidate.formerly[0].upper())
    answer = rank_dependencies([wish], open_stores(bundled_stores()), Request(), ["r.txt"])
    assert [h.repository for h in answer.known] == [candidate.repository]


def test_the_line_of_details():
    full = replace(
        build_health("a"), details=Details("MIT", "", 1_234_567, 89, 1, None, 3 * 2**20), importing_files=4
    )
    assert details(full) == (
        "MIT, 1,234,567 downloads in a month, 89 dependents, 1 open advisory, 4 files of the project import it, "
        "3.0 MB to download"
    )
    assert details(build_health("a")) == "", "an unknown size is not shown"
    for size, words in ((1, "0.1 kB"), (2048, "2.0 kB"), (104_858, "0.1 MB")):
        small = replace(full, details=Details(download_bytes=size), importing_files=None)
        assert details(small) == f"{words} to download", "a small size is not 0"


def test_an_unknown_size_is_blank_and_not_zero(tmp_path):
    """The size of a package in a lock survives the entry of the manifest, which comes first."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "m"\ndependencies = ["trl", "peft", "datasets"]\n'
    )
    blocks = {"trl": 'wheels = [{ url = "https://files.pythonhosted.org/a.whl", size = 5 }]',
              "peft": 'wheels = [{ url = "https://files.pythonhosted.org/a.whl", size = 0 }]', "datasets": ""}  # fmt: skip
    (tmp_path / "uv.lock").write_text(
        "".join(f'[[package]]\nname = "{n}"\nversion = "1"\n{w}\n' for n, w in blocks.items())
    )
    packages = files.read_dependencies([tmp_path])
    assert {p.name: p.size_bytes for p in packages} == {"trl": 5, "peft": None, "datasets": None}
    answer = rank_dependencies(packages, open_stores(bundled_stores()), Request(), ["."])
    content = json.loads(json_report.render(answer))
    sizes = {e["name"]: e["details"]["download_bytes"] for e in (*content["known"], *content["unknown"])}
    assert sizes == {"trl": 5, "peft": None, "datasets": None}
    rows = {
        row["package"]: row["download_bytes"]
        for row in csv.DictReader(csv_report.render(answer).splitlines())
    }
    assert rows == {"trl": "5", "peft": "", "datasets": ""}


def test_files_that_import_a_package(tmp_path):
    contents = {
        "a.py": "import yaml, os\nfrom PIL.Image import open\n", "sub/b.py": "def f():\n    import yaml.nodes as y\n",
        "c.py": "from . import yaml\nimport own_module\n", "broken.py": "import yaml(\n", "notes.txt": "import yaml\n",
        ".venv/x.py": "import yaml\n", "node_modules/x.py": "import yaml\n", "d.py": "# import yaml\nimport Typing_X\n",
        ".venv/lib/python3.12/site-packages/odd_dist-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: odd.dist\n",
        ".venv/lib/python3.12/site-packages/odd_dist-1.0.dist-info/top_level.txt": "own_module\n",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    names = ("pyyaml", "pillow", "odd-dist", "typing-x", "absent")
    assert count_importing_files(tmp_path, names) == {
        "pyyaml": 2, "pillow": 1, "odd-dist": 1, "typing-x": 1, "absent": 0,
    }  # fmt: skip


def test_every_line_of_a_lock_is_that_of_the_packages_own_block(tmp_path):
    """A package is often first mentioned in the list of another one."""
    names = [f"p{n}" for n in range(50)]
    blocks = [
        f'[[package]]\nname = "{name}"\nversion = "1.{n}"\ndependencies = [\n'
        + "".join(f'    {{ name = "{other}" }},\n' for other in reversed(names))
        + "]\n"
        for n, name in enumerate(names)
    ]
    path = tmp_path / "uv.lock"
    path.write_text("version = 1\n\n" + "\n".join(reversed(blocks)))
    lines = path.read_text().splitlines()
    packages = files.read_dependencies([path])
    assert len(packages) == 50
    assert all(
        lines[d.line - 1] == f'name = "{d.name}"' and lines[d.line] == f'version = "{d.version}"'
        for d in packages
    )


def test_markdown_fits_into_a_comment_and_says_what_is_left_out():
    risky = [build_health(f"risky{n}", findings=(WARN,)) for n in range(300)]
    fine = [build_health(f"fine{n}") for n in range(300)]
    lost = tuple(
        Health(Dependency("pypi", f"lost{n}", "r.txt"), unknown="its repository is not known")
        for n in range(900)
    )
    content = markdown.render(Dependencies(("r.txt",), "balanced", {}, (*risky, *fine), lost))
    assert len(content) < 65_536 - 100
    assert content.count("**risky") == 300, "the packages at risk come first"
    shown = content.count("**") // 2 + content.count("\n- lost")
    assert f"{1500 - shown} of 1500 packages do not fit into a comment" in content
    small = markdown.render(Dependencies(("r.txt",), "balanced", {}, tuple(risky[:3]), lost[:3]))
    assert "do not fit" not in small


def test_sarif_has_as_many_results_as_code_scanning_shows():
    packages = tuple(build_health(f"p{n}", findings=(WARN,)) for n in range(3000))
    (run,) = json.loads(sarif.render(Dependencies((), "g", {}, packages, ()), 50.0))["runs"]
    levels = [r["level"] for r in run["results"]]
    assert (len(levels), levels.count("error"), levels[0]) == (5000, 3000, "error")
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith("1000 of 6000 results are left out")
    assert all(rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])


def test_rules_about_metrics_lead_to_their_definition():
    finding = Finding("one-person", "warn", "one person made 81% of the commits")
    known = sarif._definitions()
    assert known
    name = next(iter(known))
    answer = Dependencies((), "g", {}, (build_health("p", findings=(replace(finding, rule=name),)),), ())
    (rule,) = json.loads(sarif.render(answer))["runs"][0]["tool"]["driver"]["rules"]
    assert rule["helpUri"] == f"https://chaoss.community/?p={known[name]}"


class Page(HTMLParser):
    """The texts of the first cells of a page's rows, and all tags and attributes."""

    def __init__(self, content):
        super().__init__()
        self.names, self.tags, self.attributes, self._is_name = [], set(), [], False
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self._is_name = tag == "th" and ("scope", "row") in attrs

    def handle_data(self, data):
        if self._is_name:
            self.names.append(data)
        self._is_name = False


def test_one_page_with_the_riskiest_first():
    risky = build_health("risky", 10.0, findings=(WARN,), parents=("flask",), groups=("dev",))
    spared = replace(build_health("spared", 20.0), exemption=Exemption("spared", "ours"))
    lost = Health(Dependency("npm", "lost<script>", "package.json", 3), unknown="its repository is not known")
    answer = Dependencies(
        ("uv.lock",),
        "balanced",
        {},
        (risky, spared, build_health("fine", 90.0)),
        (lost,),
        notes=("left out: 2 packages",),
    )
    content = html.render(answer, 30.0)
    page = Page(content)
    assert page.names == ["risky", "spared", "fine"]
    assert "script" not in page.tags and "default-src 'none'" in content
    assert not [
        v
        for k, v in page.attributes
        if k in {"src", "onclick"} or (k == "href" and not v.startswith("https://github.com/"))
    ]
    assert content.count(">fails<") == 1 and "flask › (dev)" not in content and "flask (dev)" in content
    for words in ("one person does it all &lt;b&gt;", "passes: ours", "lost&lt;script&gt; (npm) (package.json:3)", "left out: 2 packages",
                  "3 of 4 packages have a score; 1 is below 30 (1 for certain)"):  # fmt: skip
        assert words in content
    assert html.render(Dependencies((), "g", {}, (), ())).count("<table") == 0


def test_the_table_shows_who_needs_a_package_only_if_it_differs():
    plain = Dependencies(("r.txt",), "g", {}, (build_health("a"),), ())
    assert "needed by" not in text.render(plain)
    assert "needed by" in text.render(replace(plain, known=(build_health("a", parents=("b",)),)), width=200)
