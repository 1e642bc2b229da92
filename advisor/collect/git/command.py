"""Running git so that nothing is left to goodwill.

No shell, none of the user's configuration, no question at the terminal, and while a history is read
no reaching out: a clone without contents would otherwise fetch blob after blob. Every exit code
counts: a log that dies half-way is no history.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from typing import TYPE_CHECKING

from advisor.errors import GitFailed, RepositoryNotFound

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = frozenset({"PATH", "HOME", "SSL_CERT_FILE", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY"})
_NOT_FOUND = re.compile(r"not found|does not (?:exist|appear)|could not read Username")


def git(folder: Path | None, *arguments: str, remote: bool = False, given: str | None = None) -> str:
    """Run git and return what it printed.

    Args:
        folder: a repository; None for a command that makes one.
        arguments: the command and its arguments; names from outside stand after ``--``.
        remote: whether the command may reach out.
        given: what is written to its standard input.

    Raises:
        RepositoryNotFound: a remote says so.
        GitFailed: any other exit code but 0.
    """
    place = [] if folder is None else ["-C", str(folder)]
    with tempfile.TemporaryFile() as errors:  # one pipe is read in one go, two are watched in turns
        run = subprocess.run(
            ["git", *place, *arguments],
            input=None if given is None else given.encode(),
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(remote=remote),
            check=False,
        )
        errors.seek(0)
        complaint = errors.read().decode("utf-8", "replace")
    if run.returncode:
        said = (complaint.strip().splitlines() or ["no message"])[-1]
        if remote and _NOT_FOUND.search(complaint):
            raise RepositoryNotFound(f"no such repository, or no right to see it: {said}")
        raise GitFailed(f"git {arguments[0]} on {folder or 'a new clone'} failed: {said}")
    return run.stdout.decode("utf-8", "replace")


def environment(*, remote: bool) -> dict[str, str]:
    """The environment of a git process: of the user's only what a connection needs."""
    return {
        **{name: value for name, value in os.environ.items() if name in _KEPT},
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if remote else "none",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
