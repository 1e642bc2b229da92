"""What tests of private names share: secrets, a private index, and the command that collects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from typer.testing import CliRunner

from advisor.cli import app, load

load(None)

PUBLIC_PAGE = {"info": {"version": "1", "project_urls": {"Source": "https://github.com/org/zzz-public"}}}
CORP = "https://alice:hunter2@pypi.corp.example/simple"  # pragma: allowlist secret
SECRETS = ("hunter2", "alice", "SECRETSIG", "glpat-XYZ", "GH_TOKEN", "hun/ter")


def collect(folder: Path, *names: str, more: tuple[str, ...] = ()):
    options = [word for name in names for word in ("--from", str(folder / name))]
    sources = [] if "--git-only" in more else [
        word for source in ("github", "pypi", "pypistats", "depsdev", "scorecard") for word in ("--source", source)
    ]  # fmt: skip
    command = ["collect", *options, *sources, "--store", str(folder / "store"), "--max-wait", "0", *more]
    # In a thread of its own: playwright's fixture, which lasts for the session, has a running event loop in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(CliRunner().invoke, app, command).result()


def write(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".").replace("_x_", "-")).write_text(content)
