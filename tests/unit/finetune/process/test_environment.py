"""Environments: built from a lock file, checked with their own interpreter, refused when broken."""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from finetune import train_extra
from finetune.errors import StackEnvironmentError
from finetune.process import environment
from finetune.stacks import STACKS, load_stack

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def lock(tmp_path, monkeypatch):
    """A stack of one small package that the tests have installed anyway."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pin = re.search(r"^iniconfig==(.|\n)+?[^\\]\n", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[0]
    file = tmp_path / "small.lock"
    file.write_text(f"# a lock\n{pin}")
    file.with_suffix(".in").write_text("iniconfig\n")
    return file


def test_environment_is_built_once_and_refused_when_broken(lock):
    assert environment.check_environment(lock).state == "absent"
    messages = []
    first = environment.ensure_environment(lock, ("no-such-package",), messages.append)
    assert first.packages["iniconfig"] == environment.read_pins(lock)["iniconfig"]
    assert first.bytes > 0
    assert first.seconds > 0
    assert any("built in" in line for line in messages)
    second = environment.ensure_environment(lock, ("no-such-package",), lambda _: pytest.fail("built twice"))
    assert second.python == first.python

    (site,) = Path(first.home).glob("lib/python*/site-packages")
    for part in site.glob("iniconfig*"):
        shutil.rmtree(part)
    health = environment.check_environment(lock)
    assert (health.state, "iniconfig is missing" in health.why) == ("broken", True)
    with pytest.raises(StackEnvironmentError, match="stacks rebuild small"):
        environment.ensure_environment(lock, ("no-such-package",))
    first.python.unlink()
    assert "interpreter does not work" in environment.check_environment(lock).why
    assert environment.build_environment(lock).packages["iniconfig"]


def test_a_build_waits_for_the_build_of_another_process(lock):
    messages = []
    with environment._lock_build(lock, messages.append):
        build = threading.Thread(target=environment.build_environment, args=(lock, messages.append))
        build.start()
        while not messages:
            time.sleep(0.01)
        assert messages == ["waiting for another advisor that builds the environment of small"]
        assert not environment.environment_folder(lock).exists()
    build.join()
    first = environment.read_build_costs(lock)
    environment.build_environment(lock, unless_ready=True)
    assert environment.read_build_costs(lock) == first, "a ready one is not built again"


def test_missing_python_version_falls_back_to_the_current_one_with_a_message(lock, monkeypatch):
    lock.write_text("# The environment of small, for Python 3.99, in exact versions\n" + lock.read_text())
    assert "-py3.99-" in environment.environment_folder(lock).name
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    messages = []
    built_environment = environment.build_environment(lock, messages.append)
    assert "Python 3.99 is not available, so this uses 3." in messages[0]
    assert built_environment.packages["iniconfig"] == environment.read_pins(lock)["iniconfig"]


def test_pins_are_those_of_a_python_and_a_platform(lock):
    hashes = " \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n"
    lock.write_text(
        f"a==1 ; python_full_version < '3.12'{hashes}a==2 ; python_full_version >= '3.12'{hashes}"
        f"ruamel.yaml==3{hashes}w==4 ; sys_platform == 'win32'{hashes}"
    )
    early = {"python_full_version": "3.11.4", "sys_platform": "linux"}
    assert environment.read_pins(lock, early) == {"a": "1", "ruamel-yaml": "3"}
    late = {"python_full_version": "3.13.0", "sys_platform": "win32"}
    assert environment.read_pins(lock, late) == {"a": "2", "ruamel-yaml": "3", "w": "4"}


@pytest.mark.parametrize(("versions", "current", "answer"), [
    ("3.11 to 3.13", 11, "3.11"), ("3.11 to 3.13", 12, "3.12"), ("3.11 to 3.13", 14, "3.13"), ("3.11", 13, "3.11"),
])  # fmt: skip
def test_environment_has_the_current_python_if_the_lock_is_for_it(
    lock, monkeypatch, versions, current, answer
):
    lock.write_text(f"# Exact versions for Python {versions}.\n")
    monkeypatch.setattr(environment.sys, "version_info", SimpleNamespace(major=3, minor=current))
    assert environment.python_version(lock) == answer


def test_locked_package_that_nothing_requires_is_not_installed(lock):
    """As the CUDA libraries beside torch's CPU build."""
    lock.write_text(lock.read_text() + "no-such-cuda-library==1\n")
    assert environment.build_environment(lock).packages["iniconfig"]
    assert environment.check_environment(lock).state == "ready"


def test_file_with_another_hash_is_refused(lock):
    lock.write_text(re.sub("sha256:[0-9a-f]{4}", "sha256:0000", lock.read_text()))
    with pytest.raises(StackEnvironmentError, match=r"cannot build.*iniconfig"):
        environment.build_environment(lock)


def test_hashes_are_required_unless_another_build_of_torch_may_be_installed(lock, monkeypatch):
    commands = []
    monkeypatch.setattr(environment, "_probe", lambda _: ("3.11.7", {}))

    def run(command, **_):
        commands.append(command)
        environment.environment_folder(lock).mkdir(parents=True, exist_ok=True)
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    monkeypatch.setattr(environment.subprocess, "run", run)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_TORCH_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    environment.build_environment(lock)
    assert "--require-hashes" in commands[-1]
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_TORCH_BACKEND"):
        with monkeypatch.context() as context:
            context.setenv(name, "cpu")
            environment.build_environment(lock)
        assert "--verify-hashes" in commands[-1]
        assert commands[-2][1] == "venv"
    lock.write_text(lock.read_text() + "torch==2.13.0\n")
    environment.build_environment(lock)
    assert not any("--no-deps" in command for command in commands)
    monkeypatch.setenv("UV_FIND_LINKS", "wheels")
    environment.build_environment(lock)
    assert commands[-2][-2:] == ["--no-deps", "torch==2.13.0"]
    assert "--verify-hashes" in commands[-1]


def test_unfinished_build_counts_as_broken(lock):
    environment.environment_folder(lock).mkdir(parents=True)
    assert environment.check_environment(lock).state == "broken"


def test_failed_install_gives_one_message_and_leaves_no_folder(lock):
    lock.write_text("iniconfig==0.0.0.4711\n")
    with pytest.raises(StackEnvironmentError, match=r"cannot build.*iniconfig"):
        environment.build_environment(lock)
    assert not environment.environment_folder(lock).exists()


@pytest.mark.parametrize("name", STACKS)
def test_lock_file_of_each_stack_pins_its_required_packages(name):
    stack = load_stack(name)
    assert set(stack.required_packages) <= set(environment.read_pins(stack.lock))


def test_environment_that_is_broken_after_its_build_is_refused(lock, monkeypatch):
    """As on a disk that loses written files."""
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    lock.write_text("# no packages\n")
    lock.with_suffix(".in").write_text("# no packages\n")
    monkeypatch.setattr(
        environment, "check_environment", lambda _: environment.Health("broken", "tqdm is missing")
    )
    with pytest.raises(
        StackEnvironmentError, match="of small is broken right after the build: tqdm is missing"
    ):
        environment.build_environment(lock)


def test_python_version_is_available_if_uv_finds_or_installs_it(tmp_path):
    for body, answer in (("exit 0", True), ("test $2 = install", True), ("exit 2", False)):
        (tmp_path / "uv").write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "uv").chmod(0o755)
        assert environment._has_python(str(tmp_path / "uv"), "3.11") is answer


def test_missing_uv_error_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(environment.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(StackEnvironmentError, match="pip install uv"):
        environment.find_uv()


def test_extra_counts_as_missing_without_one_of_its_packages(monkeypatch):
    assert train_extra.is_installed()
    monkeypatch.setattr(
        train_extra, "_REQUIRED_PACKAGES", (*train_extra._REQUIRED_PACKAGES, "no-such-package")
    )
    assert not train_extra.is_installed()


def test_lock_file_of_trl_agrees_with_the_constraints():
    versions = environment.read_pins(ROOT / "constraints.txt")
    for name, version in environment.read_pins(load_stack("trl").lock).items():
        assert versions[name] == version, f"{name}: run make locks"


def test_current_environment_is_ready_if_the_stack_is_installed(lock):
    trl = load_stack("trl")
    health = environment.check_current(trl.lock, trl.required_packages)
    assert health.state == "ready"
    assert health.environment.home == "here"
    assert environment.check_current(lock, ("no-such-package",)).state == "absent"


def test_advisor_without_the_extra_restarts_its_command_in_the_environment_of_trl(tmp_path):
    """Uses our own interpreter in place of that environment's, and an empty site-packages."""
    import subprocess
    import sys

    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    code = (
        "import sys\nfrom pathlib import Path\nfrom finetune import train_extra\nfrom finetune.process import environment\n"
        "train_extra.is_installed = lambda: False\n"
        "current = environment.Environment(Path(sys.executable), sys.argv[1], {})\n"
        "environment.ensure_environment = lambda *_: current\n"
        "train_extra.enter_environment(['methods', 'qlora'])\nprint('not replaced')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "2305.14314" in process.stdout
    assert "not replaced" not in process.stdout
    assert (site / "finetune" / "runners" / "emit.py").is_file()
    assert (site / "advisor" / "_data" / "domains" / "finetuning.toml").is_file()


def write_uv(path, text="#!/bin/sh\necho the uv beside the interpreter >&2\nexit 3\n"):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_uv_is_the_one_beside_the_interpreter_then_of_the_variable_then_of_the_path(tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("beside", "named", "path")]
    for folder in folders:
        folder.mkdir()
    programs = [write_uv(folder / "uv") for folder in folders]
    monkeypatch.setattr(environment.sys, "executable", str(folders[0] / "python"))
    monkeypatch.setenv("UV", programs[1])
    monkeypatch.setenv("PATH", str(folders[2]))
    for program in programs:
        assert environment.find_uv() == program
        Path(program).unlink()


def test_demo_uses_the_uv_beside_the_first_interpreter_with_an_empty_path(tmp_path):
    """After `make rank` uv lies beside advisor, but the demo continues in the environment of trl."""
    import subprocess
    import sys
    import sysconfig

    installed = Path(sysconfig.get_path("purelib"))
    folders = {"plain": tmp_path / "plain", "trl": tmp_path / "cache" / "advisor" / "environments"}
    folders["trl"] /= environment.environment_folder(load_stack("trl").lock).name
    for name, folder in folders.items():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        links = site / "links"
        links.mkdir()
        for path in installed.iterdir():  # without the train extra in the environment of `make rank`
            is_extra = path.name.partition("-")[0] in ("torch", "transformers", "peft", "datasketch", "trl")
            if name == "trl" or not is_extra:
                (links / path.name).symlink_to(path)
        (site / "links.pth").write_text(f"{links}\n{ROOT}\n")
    (folders["trl"] / "advisor-seal.json").write_text('{"seconds": 1, "bytes": 1, "packages": []}')
    write_uv(folders["plain"] / "bin" / "uv")
    process = subprocess.run(
        [folders["plain"] / "bin" / "python", "-m", "advisor", "train", "--demo", "-o", tmp_path / "run"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (folders["trl"] / "lib").is_dir()
    assert process.stderr.endswith("exit code 3: the uv beside the interpreter\n"), process.stderr
    assert process.returncode == 2


def test_stacks_commands_list_build_and_rebuild(lock, monkeypatch):
    load("stacks")
    monkeypatch.setattr("finetune.stacks.STACKS", ("trl",))
    monkeypatch.setattr(
        "finetune.stacks.load_stack",
        lambda _: SimpleNamespace(lock=lock, required_packages=("no-such-package",)),
    )

    def run(*words):
        result = CliRunner().invoke(app, ["stacks", *words])
        assert result.exit_code == 0, result.output
        return result.output

    assert "absent" in run()
    assert "built in" in run("build", "trl")
    assert run("build", "trl").startswith("ready: ")
    assert "built in" in run("rebuild", "trl")


def test_stacks_check_shows_what_each_torch_sees(lock, monkeypatch):
    from finetune.machine import gpu_check

    load("stacks")
    monkeypatch.setattr("finetune.stacks.STACKS", ("trl",))
    monkeypatch.setattr(
        "finetune.stacks.load_stack", lambda _: SimpleNamespace(lock=lock, required_packages=("iniconfig",))
    )
    gpus = (("NVIDIA GeForce RTX 4090", (8, 9), 23 * 2**30),)
    for support, text in (
        (gpu_check.GpuSupport("2.13.0+cu130", "13.0", ("sm_80",), gpus),
         "torch 2.13.0+cu130, CUDA 13.0: NVIDIA GeForce RTX 4090 (8.9, 23.0 GiB free)"),
        (gpu_check.GpuSupport("2.13.0+cpu", None), "torch 2.13.0+cpu is built for CPUs. Install another build"),
    ):  # fmt: skip
        monkeypatch.setattr(gpu_check, "query_gpus", lambda _, support=support: support)
        result = CliRunner().invoke(app, ["stacks", "--check"])
        assert result.exit_code == 0, result.output
        assert text in " ".join(result.output.split())  # a long cell wraps
    assert "torch 2.13.0" not in CliRunner().invoke(app, ["stacks"]).output

    def fail(_):
        raise StackEnvironmentError("cannot import torch with python: it is not there")

    monkeypatch.setattr(gpu_check, "query_gpus", fail)
    assert "cannot import torch with python" in CliRunner().invoke(app, ["stacks", "--check"]).output
