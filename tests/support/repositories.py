"""A small Git repository that a test fills commit by commit."""

from __future__ import annotations

import os
import subprocess


class Repo:
    def __init__(self, path):
        self.path = path
        self.git_folder = path / ".git"
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", "https://example.org/own/er.git")

    def git(self, *args, who=("Ann Ash", "ann@corp.example"), day="2024-01-01"):
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": who[0], f"GIT_{role}_EMAIL": who[1],
                    f"GIT_{role}_DATE": f"{day}T12:00:00 +0000"}  # fmt: skip
        run = subprocess.run(["git", "-C", str(self.path), *args], env=env, check=True, capture_output=True)
        return run.stdout.decode().strip()

    def commit(self, *files, text="x", message="change", **when):
        for file in files:
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            with (self.path / file).open("a") as f:
                f.write(text + "\n")
        self.git("add", ".", **when)
        self.git("commit", "-q", "-m", message, **when)
        return self.git("rev-parse", "HEAD")

    def write(self, day, files):
        """Commit these contents of files on a day."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", "change", day=day)


def put_release(repo, files, day, tag):
    """Write files, commit them and tag the commit."""
    for path, text in files.items():
        (repo.path / path).parent.mkdir(parents=True, exist_ok=True)
        (repo.path / path).write_text(text)
    repo.git("add", "-A", day=day)
    repo.git("commit", "-q", "--allow-empty", "-m", tag, day=day)
    repo.git("tag", tag, day=day)
