"""Environments: built from a lock, verified by their own interpreter, refused when broken."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from finetune import home
from finetune.errors import EnvironmentBroken
from finetune.process import environment
from finetune.stacks import STACKS, stack

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A stack of one small package that the tests have installed anyway."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    version = re.search(r"^iniconfig==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    file = tmp_path / "small.lock"
    file.write_text(f"# a lock\niniconfig=={version}\n")
    return file


def test_built_verified_used_and_refused_when_broken(lock):
    assert environment.check(lock).state == "absent"
    said = []
    made = environment.ready(lock, ("no-such-package",), said.append)
    assert made.packages["iniconfig"] == environment.pins(lock)["iniconfig"]
    assert made.bytes > 0
    assert made.seconds > 0
    assert any("built in" in line for line in said)
    again = environment.ready(lock, ("no-such-package",), lambda _: pytest.fail("built twice"))
    assert again.python == made.python

    (site,) = Path(made.home).glob("lib/python*/site-packages")
    for part in site.glob("iniconfig*"):
        shutil.rmtree(part)
    health = environment.check(lock)
    assert (health.state, "iniconfig is missing" in health.why) == ("broken", True)
    with pytest.raises(EnvironmentBroken, match="stacks rebuild small"):
        environment.ready(lock, ("no-such-package",))
    made.python.unlink()
    assert "interpreter does not answer" in environment.check(lock).why
    assert environment.build(lock).packages["iniconfig"]


def test_a_lock_for_a_python_that_is_not_to_be_had_is_tried_with_ours_and_says_so(lock, monkeypatch):
    lock.write_text("# The environment of small, for Python 3.99, in exact versions\n" + lock.read_text())
    assert "-py3.99-" in environment.folder_of(lock).name
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    said = []
    made = environment.build(lock, said.append)
    assert "there is no Python 3.99 to be had, so with 3." in said[0]
    assert made.packages["iniconfig"] == environment.pins(lock)["iniconfig"]


def test_one_that_was_not_built_to_its_end_is_broken(lock):
    environment.folder_of(lock).mkdir(parents=True)
    assert environment.check(lock).state == "broken"


def test_a_lock_that_cannot_be_had_is_one_message_and_leaves_nothing(lock):
    lock.write_text("iniconfig==0.0.0.4711\n")
    with pytest.raises(EnvironmentBroken, match=r"cannot be built.*iniconfig"):
        environment.build(lock)
    assert not environment.folder_of(lock).exists()


@pytest.mark.parametrize("name", STACKS)
def test_the_lock_of_a_stack_names_what_it_needs_in_the_versions_that_we_test_with(name):
    chosen = stack(name)
    pins = environment.pins(chosen.lock)
    assert set(chosen.needed) <= set(pins)


def test_one_that_is_broken_at_once_is_not_called_ready(lock, monkeypatch):
    """As on a disk that loses what is written."""
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    lock.write_text("# a lock of nothing\n")
    monkeypatch.setattr(environment, "check", lambda _: environment.Health("broken", "tqdm is missing"))
    with pytest.raises(EnvironmentBroken, match="of small is broken right after building: tqdm is missing"):
        environment.build(lock)


def test_a_python_that_uv_has_or_can_fetch_is_one_that_is_to_be_had(tmp_path):
    for body, answer in (("exit 0", True), ("test $2 = install", True), ("exit 2", False)):
        (tmp_path / "uv").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "uv").chmod(0o755)
        assert environment._has_python(str(tmp_path / "uv"), "3.11") is answer


def test_without_uv_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(environment.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EnvironmentBroken, match="pip install uv"):
        environment.find_uv()


def test_without_a_package_that_tokenising_needs_this_is_not_the_place(monkeypatch):
    assert home.is_here()
    monkeypatch.setattr(home, "_NEEDED", (*home._NEEDED, "no-such-package"))
    assert not home.is_here()


def test_the_lock_of_trl_is_a_part_of_the_constraints():
    text = (ROOT / "constraints.txt").read_text()
    wanted = dict(line.split("==") for line in text.splitlines() if "==" in line)
    wanted = {name.lower().replace("_", "-"): version for name, version in wanted.items()}
    for name, version in environment.pins(stack("trl").lock).items():
        assert wanted[name] == version, f"{name}: run make locks"


def test_the_environment_at_hand_is_used_where_the_stack_is_installed(lock):
    trl = stack("trl")
    found = environment.here(trl.lock, trl.needed)
    assert found.state == "ready"
    assert found.environment.home == "here"
    assert environment.here(lock, ("no-such-package",)).state == "absent"


def test_a_plain_advisor_starts_its_command_again_in_the_environment_of_trl(tmp_path):
    """Played with our own interpreter in place of that environment's, and an empty site-packages."""
    import subprocess
    import sys

    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    code = (
        "import sys\nfrom pathlib import Path\nfrom finetune import home\nfrom finetune.process import environment\n"
        "home.is_here = lambda: False\n"
        "made = environment.Environment(Path(sys.executable), sys.argv[1], {})\n"
        "environment.ready = lambda *_: made\n"
        "home.enter(['methods', 'qlora'])\nprint('not replaced')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "2305.14314" in done.stdout
    assert "not replaced" not in done.stdout
    assert (site / "finetune" / "runners" / "emit.py").is_file()
    assert (site / "advisor" / "_data" / "domains" / "finetuning.toml").is_file()


def test_the_commands_build_list_and_build_anew(lock, monkeypatch):
    load("stacks")
    monkeypatch.setattr("finetune.stacks.STACKS", ("trl",))
    monkeypatch.setattr(
        "finetune.stacks.stack", lambda _: SimpleNamespace(lock=lock, needed=("no-such-package",))
    )

    def run(*words):
        done = CliRunner().invoke(app, ["stacks", *words])
        assert done.exit_code == 0, done.output
        return done.output

    assert "absent" in run()
    assert "built in" in run("build", "trl")
    assert run("build", "trl").startswith("ready: ")
    assert "built in" in run("rebuild", "trl")
