"""What CI runs is pinned, asks for no more than it needs, and is there for anybody to run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(params=WORKFLOWS, ids=lambda p: p.stem)
def workflow(request):
    return request.param.read_text()


def test_there_are_two():
    assert [p.stem for p in WORKFLOWS] == ["ci", "release"]


def test_actions_are_pinned_by_commit_with_their_version_beside(workflow):
    used = [one for one in re.findall(r"uses: (.+)", workflow) if one != "./"]  # our own action
    assert used
    assert [one for one in used if not PINNED.fullmatch(one)] == []


def test_one_action_has_one_pin():
    pins = {}
    for path in WORKFLOWS:
        for name, at in re.findall(r"uses: (\S+)@(.+)", path.read_text()):
            pins.setdefault(name, set()).add(at)
    assert {name: len(at) for name, at in pins.items()} == dict.fromkeys(pins, 1)


def test_a_workflow_may_read_and_a_job_asks_for_more_by_name(workflow):
    made = yaml.safe_load(workflow)
    assert made["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in made["jobs"].items() if "permissions" in job}
    assert more in (
        {},
        {
            "publish": {"contents": "read", "id-token": "write", "attestations": "write"},
            "attach": {"contents": "write"},
        },
    )


def test_the_job_that_runs_foreign_code_cannot_publish():
    """The build hands over files with their checksums; the later jobs verify them and run no dependency."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert (jobs["publish"]["needs"], jobs["attach"]["needs"]) == ("build", "publish")
    assert "permissions" not in jobs["build"]
    runs = {
        name: [step.get("run", step.get("uses", "")).split("@")[0] for step in job["steps"]]
        for name, job in jobs.items()
    }
    assert runs["build"][-6:] == [
        "make test", "make audit", "make wheel", "make sbom", "make checksums", "actions/upload-artifact",
    ]  # fmt: skip
    assert runs["publish"][-5:-1] == [
        "actions/download-artifact", "make verify", "make uv", "actions/attest-build-provenance",
    ]  # fmt: skip
    assert runs["attach"][1:3] == ["actions/download-artifact", "make verify"]
    assert runs["attach"][3].endswith("dist/* build/advisor.cdx.json build/SHA256SUMS")


def test_checksums_find_a_changed_file(tmp_path):
    for name in ("dist/a.whl", "dist/a.tar.gz", "build/advisor.cdx.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def make(target):
        command = ["make", "--quiet", "--file", str(ROOT / "Makefile"), target]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert make("checksums").returncode == 0
    assert make("verify").returncode == 0
    (tmp_path / "dist/a.whl").write_text("changed")
    process = make("verify")
    assert process.returncode != 0
    assert "dist/a.whl: FAILED" in process.stdout


def test_no_secret_is_named_and_no_credential_stays(workflow):
    assert "secrets." not in workflow
    assert workflow.count("actions/checkout@") == workflow.count("persist-credentials: false")


def test_every_step_is_a_target_of_the_makefile(workflow):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    steps = [
        s["run"] for job in yaml.safe_load(workflow)["jobs"].values() for s in job["steps"] if "run" in s
    ]
    made = [step.removeprefix("make ") for step in steps if step.startswith("make ")]
    assert set(made) <= targets
    assert {"test", "audit"} <= set(made)
    others = [step.split()[:2] for step in steps if not step.startswith(("make ", "python -m "))]
    assert others in ([], [[".venv/bin/uv", "publish"], ["gh", "release"]])


def test_the_deciding_half_runs_on_windows_and_macos():
    """Windows has no make: there the steps are those of pip, and what they test exists."""
    job = yaml.safe_load(WORKFLOWS[0].read_text())["jobs"]["systems"]
    assert job["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]
    steps = [step["run"] for step in job["steps"] if "run" in step]
    assert steps[1] == "python -m advisor rank --store bundled"
    assert all((ROOT / word).exists() for word in steps[2].split() if word.startswith("tests/"))
