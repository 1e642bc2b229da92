"""The sample output in the README is what the program prints."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import advisor

ROOT = Path(__file__).resolve().parents[2]


def test_the_sample_output_is_what_rank_prints():
    readme = (ROOT / "README.md").read_text()
    sample = re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1]
    output = subprocess.run(
        [sys.executable, "-m", "advisor", "rank"], capture_output=True, text=True, check=True
    ).stdout
    assert len(sample.splitlines()) > 10
    assert output.startswith(sample)


def test_the_readme_names_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make rank" in readme and "make test" in readme


# These need a network, a run or minutes; tests/collect, tests/train and tests/stacks run them.
ELSEWHERE = {"collect", "train", "bench", "probe", "bases", "runs"}
SMALL_VALUES = {"mine": "my-domain", "FILE": "view.json", "FILE.parquet": "panel.parquet"}
# These end with one line that says what to do: no store yet, no terminal, no such file, no such extra.
NEEDS = {
    "measure": "run `advisor collect` first",
    "rank --all": "run `advisor collect` first",
    "init mine": "add it, or run the command on a terminal",
    "mcp": "pip install 'library-advisor[mcp]', or '.[mcp]' in a clone",
    "rank --replay FILE": "view.json cannot be read: no such file or directory",
    "backtest --panel FILE.parquet": "panel.parquet",
    "dashboard --plan run.toml": "run.toml cannot be read: no such file or directory",
}
OF_TRAINING = ("advisor plan ", "advisor dashboard --plan ")
EXTRAS = ("torch", "transformers", "peft", "trl", "datasketch", "mcp", "plotly")


def list_commands():
    """Yield the command lines of the README's table; an option alone belongs to the command before it."""
    for line in (ROOT / "README.md").read_text().splitlines():
        command = ""
        for code in re.findall(r"`([^`]+)`", line.partition(" | ")[2] if line.startswith("| ") else ""):
            if code.startswith("advisor "):
                command = code.removeprefix("advisor ")
            elif not (code.startswith("--") and command):
                continue
            words = command if code.startswith("advisor ") else f"{command.split()[0]} {code}"
            if words.split()[0] not in ELSEWHERE:
                yield words


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a fresh clone whose `.venv/bin` has what `make rank` installs, and no optional package."""
    folder = tmp_path_factory.mktemp("clone") / "advisor"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    (site,) = folder.glob(".venv/lib/python*/site-packages")
    installed = Path(sysconfig.get_path("purelib"))
    for path in installed.iterdir():
        # An editable advisor of the working tree, and packages that only an extra brings.
        if path.suffix != ".pth" and re.split(r"[-.]", path.name)[0] not in (*EXTRAS, "library_advisor"):
            (site / path.name).symlink_to(path)
    (site / "clone.pth").write_text(f"{folder}\n")
    program = folder / ".venv" / "bin" / "advisor"
    program.write_text(f"#!{program.parent / 'python'}\nfrom advisor.cli import main\nmain()\n")
    program.chmod(0o755)
    return folder


def type_line(line, clone, home):
    """Return the process of a line in a shell that sees only `.venv/bin` and git."""
    programs = home / "system"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git"))
    path = os.pathsep.join([str(clone / ".venv" / "bin"), str(programs)])
    env = {"PATH": path, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    program, *words = shlex.split(line)
    start = [clone / ".venv" / "bin" / program]
    if line.startswith(OF_TRAINING):  # with the packages and the model that the demo would fetch
        start, env = [sys.executable, "-m", program], {**os.environ, "PYTHONPATH": str(clone), "PATH": path}
    return subprocess.run(
        [*start, *words], capture_output=True, text=True, check=False, cwd=clone, stdin=subprocess.DEVNULL, env=env
    )  # fmt: skip


@pytest.mark.parametrize("words", list(list_commands()))
def test_each_line_of_the_table_works_as_typed(words, clone, tmp_path):
    line = " ".join(SMALL_VALUES.get(word, word) for word in words.split(" "))
    process = type_line(f"advisor {line}", clone, tmp_path)
    if words in NEEDS:
        assert process.returncode == 2
        assert NEEDS[words] in process.stderr
        assert len(process.stderr.strip().splitlines()) == 1, process.stderr
    else:
        assert process.returncode == 0, process.stderr
        assert process.stdout.strip()


def test_the_lines_run_the_code_of_the_clone(clone, tmp_path):
    process = type_line("python -c 'import advisor; print(advisor.__file__)'", clone, tmp_path)
    assert process.stdout == f"{clone / 'advisor' / '__init__.py'}\n"


def test_the_table_has_the_commands_that_are_typed_here():
    commands = list(list_commands())
    assert len(commands) >= 30
    assert NEEDS.keys() <= set(commands)


def test_the_python_of_the_table_runs_as_typed():
    """The line about Python, as one program."""
    (line,) = [x for x in (ROOT / "README.md").read_text().splitlines() if x.startswith("| rank from Python")]
    first, *calls = [c for c in re.findall(r"`([^`]+)`", line) if "(" in c]
    answer = eval(first, {"advisor": advisor})
    for call in calls:
        assert eval(f"answer{call}", {"answer": answer}) is not None
