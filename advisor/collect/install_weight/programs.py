"""Run the programs that read a package index: uv, pip and pip-audit."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advisor.collect.http.messages import clean_text
from advisor.errors import CollectError

_MAX_SECONDS = 600
_MOST_IN_MESSAGE = 300


@dataclass(frozen=True)
class Programs:
    """Commands to start the programs with.

    Attributes:
        uv: the command of uv.
        pip, audit: the commands of pip and pip-audit; empty: uv starts them as tools.
        variables: the environment variables that they get.
    """

    uv: tuple[str, ...]
    pip: tuple[str, ...] = ()
    audit: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def find_pip(self) -> tuple[str, ...]:
        """Return the command of pip."""
        return self.pip or (*self.uv, "tool", "run", "pip")

    def find_audit(self) -> tuple[str, ...]:
        """Return the command of pip-audit."""
        return self.audit or (*self.uv, "tool", "run", "pip-audit")


class ProgramError(CollectError):
    """A program ended with an error; the message is its last line."""


def run_program(
    command: Sequence[str],
    programs: Programs,
    files: Mapping[str, str],
    output: str,
    codes: Sequence[int] = (0,),
) -> str:
    """Run a program in an empty folder, and return the text of the file that it writes.

    Args:
        command: the command with its arguments.
        programs: for the environment variables.
        files: name → text of the files that it reads.
        output: name of the file that it writes.
        codes: exit codes of success.

    Raises:
        ProgramError: it is missing, failed, took too long or wrote nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            result = subprocess.run(
                list(command), cwd=folder, env=dict(programs.variables), capture_output=True, check=False,
                timeout=_MAX_SECONDS, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            raise ProgramError(
                f"{command[0]} is not installed: pip install {Path(command[0]).name}"
            ) from None
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{command[0]} did not end within {_MAX_SECONDS} seconds") from None
        path = Path(folder) / output
        if result.returncode not in codes or not path.is_file():
            raise ProgramError(_describe_failure(result.stderr.decode(errors="replace")))
        return path.read_text(encoding="utf-8")


def _describe_failure(text: str) -> str:
    """Return what a program says of its failure, in a line."""
    lines = [line.strip(" ×╰─▶│├") for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR")]
    words = [
        line for line in lines if line and not line.lower().startswith(("hint:", "[notice]", "warning:"))
    ]
    return clean_text(" ".join(errors[-1:] or words), _MOST_IN_MESSAGE) or "it did not say why"
