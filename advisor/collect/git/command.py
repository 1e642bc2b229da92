"""Run git in a controlled environment.

Git runs without a shell, without the user's configuration and without prompts. Commands that read a
history have no network access, because a blobless clone would fetch its blobs one by one. Every exit code
other than 0 is an error, so that a truncated log is never used.
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

_PASSED_VARIABLES = frozenset(
    {"PATH", "HOME", "SSL_CERT_FILE", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY"}
)
_NOT_FOUND_MESSAGE = re.compile(r"not found|does not (?:exist|appear)|could not read Username")


def run_git(folder: Path | None, *arguments: str, remote: bool = False, stdin: str | None = None) -> str:
    """Run git and return its standard output.

    Args:
        folder: a repository; None for a command that creates one.
        arguments: the command and its arguments; put untrusted names after ``--``.
        remote: whether the command may use the network.
        stdin: text for the standard input of git.

    Raises:
        RepositoryNotFound: the remote does not have the repository.
        GitFailed: git ended with another error.
    """
    location = [] if folder is None else ["-C", str(folder)]
    with tempfile.TemporaryFile() as errors:  # a single pipe is faster to read than two
        run = subprocess.run(
            ["git", *location, *arguments],
            input=None if stdin is None else stdin.encode(),
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=build_environment(remote=remote),
            check=False,
        )
        errors.seek(0)
        message = errors.read().decode("utf-8", "replace")
    if run.returncode:
        last_line = (message.strip().splitlines() or ["no message"])[-1]
        if remote and _NOT_FOUND_MESSAGE.search(message):
            raise RepositoryNotFound(f"the repository does not exist, or you cannot read it: {last_line}")
        raise GitFailed(f"git {arguments[0]} on {folder or 'a new clone'} failed: {last_line}")
    return run.stdout.decode("utf-8", "replace")


def build_environment(*, remote: bool) -> dict[str, str]:
    """Return the environment of a git process: it has only the user's variables for connections."""
    return {
        **{name: value for name, value in os.environ.items() if name in _PASSED_VARIABLES},
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if remote else "none",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
