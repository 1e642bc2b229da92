"""Run git in a controlled environment.

Git runs without a shell, without the user's configuration and without prompts. Commands that read a
history have no network access, because a blobless clone would fetch its blobs one by one. Every exit code
other than 0 is an error, so that a truncated log is never used.

A repository's own configuration can start programs. Give git only folders that `clone.open_history`
returns: advisor wrote their configuration. Git does not search for other ones: it starts in the root
folder of the machine and gets the folder of the repository by name.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING, cast

from advisor.errors import GitFailed, RepositoryNotFound
from advisor.write_errors import explain_exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

MAX_OUTPUT_BYTES = 2**29
"""More output of one command is an error: a small history can list billions of files."""
_MAX_FIELD_BYTES = 2**20
_CHUNK_BYTES = 2**16

_PASSED_VARIABLES = frozenset(
    {"PATH", "HOME", "SSL_CERT_FILE", "SSH_AUTH_SOCK", "https_proxy", "HTTPS_PROXY"}
)
_NOT_FOUND_MESSAGE = re.compile(r"not found|does not (?:exist|appear)|could not read Username")
_SETTINGS = {
    "core.bigFileThreshold": "1m",  # git does not hold larger files in memory
    "core.commitGraph": "false",  # a clone's own index of its commits can be false
    "core.multiPackIndex": "false",
    "log.mailmap": "false",  # a blobless clone may lack the file; `commits.read_log` reads it
    "gc.autoDetach": "false",  # no git process outlives the lock of a clone
    "maintenance.autoDetach": "false",
}


def run_git(
    folder: Path | None,
    *arguments: str,
    remote: bool = False,
    stdin: str | None = None,
    lock: int | None = None,
    max_file_bytes: int | None = None,
) -> str:
    """Run git and return its standard output.

    Args:
        folder: folder of a bare repository; None for a command that creates one.
        arguments: the command and its arguments; put untrusted names after ``--``. Paths are absolute.
        remote: whether the command may use the network.
        stdin: text for the standard input of git.
        lock: a file descriptor with a lock that must last as long as git runs.
        max_file_bytes: git fails if it writes a larger file, where the system can limit that.

    Raises:
        RepositoryNotFound: the remote does not have the repository.
        GitFailed: git ended with another error.
        CannotWrite: the disk is full or read-only.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as stdin_file:
        if stdin is not None:
            stdin_file.write(stdin.encode())
            stdin_file.seek(0)
        # Only the output has a pipe: a single pipe is faster to read than two.
        environment = build_environment(remote=remote)
        with _start_git(folder, arguments, stdin_file, errors, environment, lock) as process:
            if max_file_bytes is not None and sys.platform == "linux":
                with suppress(ProcessLookupError):
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
            output = cast("IO[bytes]", process.stdout).read(MAX_OUTPUT_BYTES + 1)
            if len(output) > MAX_OUTPUT_BYTES:
                process.kill()
                raise GitFailed(
                    f"git {_find_command(arguments)} on {folder} lists more than {MAX_OUTPUT_BYTES:,} bytes: "
                    "the history is too large"
                )
        errors.seek(0)
        message = errors.read().decode("utf-8", "replace")
    if process.returncode:
        if write_error := explain_exit(process.returncode, message, folder or arguments[-1]):
            raise write_error
        last_line = (message.strip().splitlines() or ["no message"])[-1]
        if remote and _NOT_FOUND_MESSAGE.search(message):
            raise RepositoryNotFound(f"the repository does not exist, or you cannot read it: {last_line}")
        raise GitFailed(f"git {_find_command(arguments)} on {folder or 'a new clone'} failed: {last_line}")
    return output.decode("utf-8", "replace")


def stream_fields(
    folder: Path,
    *arguments: str,
    stdin: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[bytes]:
    """Run git without network and yield the fields of its output, which end in NUL, as they come.

    Args:
        folder: folder of a bare repository.
        arguments: the command and its arguments, as for `run_git`.
        stdin: texts for the standard input of git, with their ends of lines.
        variables: more variables of its environment.

    Raises:
        GitFailed: git ended with an error, or a field has more than a MiB.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as stdin_file:
        for text in stdin:
            stdin_file.write(text.encode())
        stdin_file.seek(0)
        environment = {**build_environment(remote=False), **(variables or {})}
        with _start_git(folder, arguments, stdin_file, errors, environment) as process:
            try:
                yield from _split_fields(cast("IO[bytes]", process.stdout), _find_command(arguments), folder)
            except BaseException:  # also if the caller needs no more fields
                process.kill()
                raise
        errors.seek(0)
        message = errors.read().decode("utf-8", "replace")
    if process.returncode:
        last_line = (message.strip().splitlines() or ["no message"])[-1]
        raise GitFailed(f"git {_find_command(arguments)} on {folder} failed: {last_line}")


def _start_git(
    folder: Path | None,
    arguments: tuple[str, ...],
    stdin: IO[bytes],
    errors: IO[bytes],
    environment: Mapping[str, str],
    lock: int | None = None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        build_command(folder, *arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=os.sep,
        env=environment,
        pass_fds=() if lock is None else (lock,),
    )


def _split_fields(output: IO[bytes], command: str, folder: Path) -> Iterator[bytes]:
    rest = b""
    while chunk := output.read(_CHUNK_BYTES):
        *fields, rest = (rest + chunk).split(b"\0")
        yield from fields
        if len(rest) > _MAX_FIELD_BYTES:
            raise GitFailed(f"git {command} on {folder} lists a name of more than {_MAX_FIELD_BYTES:,} bytes")


def _find_command(arguments: tuple[str, ...]) -> str:
    settings = arguments.count("-c")  # each takes two arguments, before the command
    return arguments[2 * settings]


def build_command(folder: Path | None, *arguments: str) -> list[str]:
    """Return the command line of a git process; start it in the root folder of the machine."""
    location = [] if folder is None else [f"--git-dir={folder.absolute()}"]
    return ["git", *location, *arguments]


def build_environment(*, remote: bool) -> dict[str, str]:
    """Return the environment of a git process: it has only the user's variables for connections."""
    environment = {
        **{name: value for name, value in os.environ.items() if name in _PASSED_VARIABLES},
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_DEFAULT_REF_FORMAT": "files",  # `local_clone` writes and reads them
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "https:ssh:file" if remote else "none",
        "GIT_NO_LAZY_FETCH": "1",  # cloning a shallow history would start git in git without an end
        "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
    }
    for number, (name, value) in enumerate(_SETTINGS.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment
