"""The exact versions in constraints.txt and the locks: hashed, complete, and consistent for the CUDA build of torch."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from finetune.process.environment import read_pins
from finetune.stacks import STACKS, load_stack

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
LOCKS = {name: load_stack(name).lock for name in STACKS}
# From the metadata of the locked versions, with the CUDA build of torch. Written by: make locks
REQUIRES = json.loads(Path(__file__).with_name("requires.json").read_text())
COMPANIONS = {"triton": "3.7.1", "nvidia-cudnn-cu13": "9.20.0.48", "nvidia-nccl-cu13": "2.29.7"}


def machine(python, architecture="x86_64"):
    return {
        "python_version": python, "python_full_version": f"{python}.1", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "os_name": "posix", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": architecture,
    }  # fmt: skip


def find_conflicts(pins, roots, variables):
    """Return each requirement of the roots, and of what they require, that the pins do not satisfy."""
    conflicts, queue, seen = [], [("the stack", root) for root in roots], set()
    while queue:
        owner, line = queue.pop()
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if (
            not requirement.specifier.contains(pins.get(name, "0.0.dev0"), prereleases=True)
            or name not in pins
        ):
            conflicts.append(f"{owner} requires {line}, the lock has {pins.get(name)}")
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for child in REQUIRES.get(f"{name}=={pins[name]}", []):
                marker = Requirement(child).marker
                if marker is None or marker.evaluate({**variables, "extra": extra}):
                    queue.append((f"{name} {pins[name]}", child))
    return conflicts


def read_roots(lock):
    return [line for line in lock.with_suffix(".in").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_every_requirement_of_its_packages(name, python, architecture):
    variables = machine(python, architecture)
    pins = read_pins(LOCKS[name], variables)
    assert find_conflicts(pins, read_roots(LOCKS[name]), variables) == []
    assert COMPANIONS.items() <= pins.items()


@pytest.mark.parametrize("name", LOCKS)
def test_the_requirements_of_every_locked_package_are_known(name):
    pins = read_pins(LOCKS[name], machine("3.11"))
    assert {f"{package}=={version}" for package, version in pins.items()} <= REQUIRES.keys()


@pytest.mark.parametrize("name", ["axolotl", "unsloth"])
def test_a_lock_resolved_against_the_cpu_build_is_caught(name):
    pins = {**read_pins(LOCKS[name], machine("3.11")), "triton": "3.9.0"}
    (conflict,) = [
        line
        for line in find_conflicts(pins, read_roots(LOCKS[name]), machine("3.11"))
        if "torch 2.13.0" in line
    ]
    assert conflict.endswith("the lock has 3.9.0")
    del pins["nvidia-nccl-cu13"]
    assert any(
        "nvidia-nccl-cu13==2.29.7" in line for line in find_conflicts(pins, ["torch"], machine("3.11"))
    )


def test_every_pin_has_hashes_and_no_file_names_an_index():
    for file in (CONSTRAINTS, *LOCKS.values()):
        blocks = re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE)[1:]
        assert len(blocks) > 50
        for block in blocks:
            assert re.search(r"\n    --hash=sha256:[0-9a-f]{64}( \\\n|\n)", block), block
        assert "://" not in file.read_text()


def test_constraints_pin_all_that_make_installs():
    """Walks from pyproject.toml through the installed packages."""
    pins = read_pins(CONSTRAINTS)
    queue = [("library-advisor", extra) for extra in ("", "dev", "scale", "train")]
    seen = set(queue)
    while queue:
        name, extra = queue.pop()
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                child = canonicalize_name(requirement.name)
                assert metadata.version(child).partition("+")[0] == pins[child]
                new = {(child, e) for e in ("", *requirement.extras)} - seen
                seen |= new
                queue.extend(new)
    assert len({name for name, _ in seen}) > 100
    tools = re.search(r"^TOOLS := \$\(AUDIT\) (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[
        1
    ].split()
    assert {"uv", "hatchling", "pip-audit", "zizmor", *tools} <= pins.keys()


def test_roots_of_trl_are_the_requirements_of_the_train_extra():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {canonicalize_name(Requirement(line).name)
             for line in project["dependencies"] + project["optional-dependencies"]["train"]}  # fmt: skip
    assert {canonicalize_name(Requirement(line).name) for line in read_roots(LOCKS["trl"])} == names


@pytest.mark.parametrize("name", LOCKS)
def test_roots_are_pinned_as_required_hashes_demand(name):
    pins = read_pins(LOCKS[name], machine("3.11"))
    for requirement in map(Requirement, read_roots(LOCKS[name])):
        assert str(requirement.specifier) == f"=={pins[canonicalize_name(requirement.name)]}"
