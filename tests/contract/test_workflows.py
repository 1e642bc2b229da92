"""What CI runs is pinned, asks for no more than it needs, and is there for anybody to run."""

from __future__ import annotations

import re
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
    used = re.findall(r"uses: (.+)", workflow)
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
        {"publish": {"contents": "read", "id-token": "write"}, "attach": {"contents": "write"}},
    )


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
    others = [step.split()[:2] for step in steps if not step.startswith("make ")]
    assert others in ([], [[".venv/bin/uv", "publish"], ["gh", "release"]])
