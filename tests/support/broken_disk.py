"""Run commands of advisor on a disk that takes no byte more; print what each of them did, as JSON.

Start it as ``python broken_disk.py FAULT FOLDER INPUTS < COMMANDS``. A fault is ``limit`` (no file may have a
byte, so that every writer fails, DuckDB and SQLite too), ``full`` or ``read-only``; for these two the folder
is a file system of its own, which `start` mounts where the system allows it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DISK_BYTES = 8 * 2**20
_MOUNT = f'mount -t tmpfs -o size={DISK_BYTES} none "$2" && exec "$@"'


def start(fault, folder, inputs, commands):
    """Run commands in another process; return the results, or None if the system forbids the fault."""
    program = [sys.executable, __file__, fault, str(folder), str(inputs)]
    if fault != "limit":
        unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
        try:
            subprocess.run([*unshare, _MOUNT, "sh", "true", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        mount = f'mount -t tmpfs -o size={DISK_BYTES} none "$4" && exec "$@"'
        program = [*unshare, mount, "sh", *program]
    process = subprocess.run(
        program, input=json.dumps(commands), capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(process.stdout)


def read_files(folder):
    """Return path → content of every file of a store but its lock."""
    return {
        str(p): p.read_bytes().hex() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"
    }


@contextlib.contextmanager
def broken_disk(fault, folder):
    """Break the disk in the block."""
    filler = folder / "filler"
    if fault == "limit":
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    elif fault == "full":
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    else:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        yield
    finally:
        if fault == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        elif fault == "full":
            filler.unlink()
        else:
            subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


def run_command(words):
    """Run one command of advisor in this process; return its exit code and what it printed."""
    from advisor import cli

    sys.argv = ["advisor", *words]
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        except Exception as error:  # noqa: BLE001 - a traceback is what the tests look for
            code = f"{type(error).__name__}: {error}"
    return code, errors.getvalue()


def main():
    fault, folder, inputs = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.environ |= {f"XDG_{name.upper()}_HOME": str(folder / name) for name in ("data", "cache", "state")}
    os.environ["UV_CACHE_DIR"] = str(inputs.parent / "uv")  # what uv downloads is larger than the disk
    tempfile.gettempdir()  # it tries to write once, and remembers where it could
    results = {}
    for name, words in json.load(sys.stdin).items():
        for path in folder.iterdir():
            shutil.rmtree(path)
        work = shutil.copytree(inputs, folder / "work")
        os.chdir(work)
        before = read_files(work / "store")
        with broken_disk(fault, folder):
            code, errors = run_command(words)
            os.chdir("/")
        after = read_files(work / "store")
        drafts = [str(p) for p in folder.rglob("*") if ".draft" in p.name or p.name.endswith(".making")]
        os.chdir(work)
        second_code, second_errors = run_command(words)
        results[name] = {
            "code": code, "errors": errors, "drafts": drafts,
            "lost": [path for path, content in before.items() if after.get(path) != content],
            "second code": second_code, "second errors": second_errors,
        }  # fmt: skip
        os.chdir("/")
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
