"""Another version of a stack: uv resolves it near the stack's lock file, and a run keeps to it."""

from __future__ import annotations

import zipfile

import pytest

from finetune.errors import StackEnvironmentError
from finetune.process import environment, version_lock


def write_wheel(index, name, version, *requirements):
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata = "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requirements)]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"version = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    files = sorted(file.name for file in folder.glob("*.whl"))
    (folder / "index.html").write_text("".join(f'<a href="{file}">{file}</a>\n' for file in files))


@pytest.fixture
def stack_lock(tmp_path, monkeypatch):
    """The lock file of a stack in an index of two packages, without a network."""
    index = tmp_path / "index"
    for version, requirement in (("1.0", "part"), ("2.0", "part"), ("3.0", "part>=2")):
        write_wheel(index, "stackish", version, requirement)
    for version in ("1.0", "2.0"):
        write_wheel(index, "part", version)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.as_uri())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lock = tmp_path / "stackish.lock"
    lock.with_suffix(".in").write_text("# a reason for part==1.0\npart==1.0\nstackish==2.0\n")
    lock.write_text(
        "# Exact versions for Python 3.11 to 3.13. Written by: make locks\npart==1.0\nstackish==2.0\n"
    )
    return lock


def test_only_the_stack_has_another_version(stack_lock, tmp_path):
    lock = version_lock.lock_version(stack_lock, "1.0")
    assert lock.name == "stackish-1.0.lock"
    assert lock.is_relative_to(tmp_path / "cache")
    assert environment.read_pins(lock) == {"part": "1.0", "stackish": "1.0"}
    assert lock.with_suffix(".in").read_text() == "# a reason for part==1.0\npart==1.0\nstackish==1.0\n"
    lines = lock.read_text().splitlines()
    assert lines[0] == "# Exact versions for Python 3.11 to 3.13. Written by: advisor bench --parity"
    assert sum("--hash=sha256:" in line for line in lines) == 2
    assert sorted(file.name for file in lock.parent.iterdir()) == ["stackish-1.0.in", "stackish-1.0.lock"]


def test_another_requirement_gives_way_only_if_it_must(stack_lock):
    lock = version_lock.lock_version(stack_lock, "3.0")
    assert environment.read_pins(lock) == {"part": "2.0", "stackish": "3.0"}


def test_tested_version_has_the_tested_lock_and_another_one_is_resolved_once(stack_lock, monkeypatch):
    first = version_lock.lock_version(stack_lock, "1.0").read_bytes()
    monkeypatch.setattr(environment, "find_uv", lambda: pytest.fail("resolved again"))
    assert version_lock.lock_version(stack_lock, "1.0").read_bytes() == first
    assert version_lock.lock_version(stack_lock, "2.0") == stack_lock


def test_new_lock_of_the_stack_resolves_its_versions_again(stack_lock):
    first = version_lock.lock_version(stack_lock, "1.0")
    stack_lock.write_text(stack_lock.read_text() + "# newer\n")
    assert not version_lock.locate_lock(stack_lock, "1.0").exists()
    assert version_lock.lock_version(stack_lock, "1.0") != first


def test_missing_version_has_a_reason_and_leaves_nothing(stack_lock):
    with pytest.raises(
        StackEnvironmentError, match=r"^cannot resolve stackish 9\.0: .*no version of stackish==9"
    ):
        version_lock.lock_version(stack_lock, "9.0")
    assert not list(version_lock.locate_lock(stack_lock, "9.0").parent.iterdir())


def test_run_of_a_version_uses_no_other_environment(stack_lock, tmp_path):
    run, plain = tmp_path / "run", tmp_path / "plain"
    run.mkdir()
    plain.mkdir()
    version_lock.write_version(run, "1.0")
    assert version_lock.find_lock(plain, stack_lock) == stack_lock
    assert version_lock.find_lock(run, stack_lock) == version_lock.locate_lock(stack_lock, "1.0")
    # Its required packages are installed here, and still it gets an environment of its own.
    own = version_lock.ensure_environment(run, stack_lock, ("packaging",))
    assert own.packages["stackish"] == "1.0"
    assert own.home.startswith(str(tmp_path / "cache"))
    assert version_lock.ensure_environment(plain, stack_lock, ("packaging",)).home == "here"


@pytest.mark.parametrize(
    "text", ["", "../../../evil", "1.0 @ https://evil.example/a.whl", "1.0\n--index-url=x"]
)
def test_run_of_a_stranger_names_a_version_and_nothing_else(stack_lock, tmp_path, text):
    """Attack: the folder of a run brings a path, an address or an option for uv."""
    version_lock.write_version(tmp_path, text)
    with pytest.raises(StackEnvironmentError, match="has no version: "):
        version_lock.ensure_environment(tmp_path, stack_lock, ("packaging",))
