"""A hostile file ends with an answer or one message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bare_environment import bare_environment

from advisor.answers.dependencies import text
from advisor.cli import load
from advisor.errors import InputError

load(None)


load(None)


def hostile(folder: Path) -> dict[str, str]:
    """Return hostile files: name → content."""
    for number in range(25):
        line = f"-r inc{number + 1}.txt\n"
        (folder / f"inc{number}.txt").write_text(line * 2)
    (folder / "inc25.txt").write_text("flask\n")
    for number in range(3000):
        (folder / f"deep{number}.txt").write_text(f"-r deep{number + 1}.txt\n")
    (folder / "deep3000.txt").write_text("flask\n")
    groups = "".join(
        f'g{n} = [{{include-group = "g{n + 1}"}}, {{include-group = "g{n + 1}"}}]\n' for n in range(25)
    )
    chain = "".join(f'g{n} = [{{include-group = "g{n + 1}"}}]\n' for n in range(3000))
    nested = "".join(f'g{n} = ["p{n}", {{include-group = "g{n + 1}"}}]\n' for n in range(500))
    many = "".join(f'g{n} = ["flask"]\n' for n in range(5000))
    return {
        "blanks.txt": "flask" + " " * 200_000 + "x",
        "tabs.txt": "flask ;" + "\t" * 200_000 + "x",
        "comments.txt": "flask" + " #" * 100_000,
        "options.txt": "flask" + " --hash" * 50_000,
        "backslashes.txt": "flask \\\n" + "\\\n" * 200_000 + "x",
        "one_line.txt": "flask" + "\\" * 200_000,
        "brackets.txt": "flask" + "[" * 100_000,
        "markers.txt": "flask ; " + "(" * 100_000,
        "version.txt": "flask==" + "1" * 100_000,
        "parts.txt": "flask==" + "1." * 50_000,
        "address.txt": "flask @ https://" + "a@" * 50_000,
        "includes.txt": "-r inc0.txt\n",
        "chain.txt": "-r deep0.txt\n",
        "pyproject.toml": f"[dependency-groups]\n{groups}g25 = ['flask']\n",
        "pyproject-chain.toml": f"[dependency-groups]\n{chain}g3000 = ['flask']\n",
        "pyproject-many.toml": f"[dependency-groups]\n{many}",
        "words.txt": "a." * 50_000,
        "uv.lock": "a" + ".a" * 20_000 + " = 1",
        "pylock.toml": f"[{'.'.join(['a'] * 20_000)}]",
        "quoted.txt": "flask " + '"' * 50_000,
        "pyproject-nested.toml": f"[dependency-groups]\n{nested}g500 = []\n",
        "channels.yml": "dependencies: ['" + "a:" * 50_000 + "']",
        "deep.yml": "dependencies: " + "[" * 10_000,
        "deep.json": '{"bomFormat": "CycloneDX", "components": ' + "[" * 100_000,
        "package-lock.json": '{"dependencies": ' + '{"a": {"dependencies": ' * 20_000,
    }  # fmt: skip


def test_a_hostile_file_ends_with_an_answer_or_one_message(tmp_path):
    """All of them in one process that may take a minute; each took minutes, or gigabytes, or a traceback."""
    names = list(contents := hostile(tmp_path))
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "device.txt").write_text("-r /dev/zero\n")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    names += ["device.txt", "zero.txt", "loop.txt"]
    code = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))\n"
        "from advisor.answers.dependencies import files\n"
        "from advisor.errors import InputError\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        print(name, len(files.read_dependencies([Path(name)])))\n"
        "    except InputError as error:\n"
        "        assert '\\n' not in str(error) and len(str(error)) < 2100, error\n        print(name, 'refused')\n"
    )
    result = subprocess.run([sys.executable, "-c", code, *names], cwd=tmp_path, capture_output=True, text=True,
                            check=False, timeout=300, env=bare_environment(OMP_NUM_THREADS="1"))  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    answers = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    assert list(answers) == names
    assert answers["includes.txt"] == answers["pyproject.toml"] == answers["comments.txt"] == "1"
    assert answers["pyproject-many.toml"] == "1" and answers["pyproject-nested.toml"] == "500"
    assert answers["uv.lock"] == answers["pylock.toml"] == "refused"
    assert {answers[n] for n in ("device.txt", "zero.txt", "loop.txt", "deep.yml", "deep.json")} == {
        "refused"
    }


def test_a_file_that_grows_while_it_is_read_has_a_limit(tmp_path, monkeypatch):
    """Files of /proc have size 0 and any content."""
    monkeypatch.setattr(text, "SIZE_LIMIT", 10)
    with pytest.raises(InputError, match="is larger than"):
        text.read_text(Path("/proc/self/status"))
    with pytest.raises(InputError, match="is not the name of a file"):
        text.read_text(Path("a\0.txt"))
