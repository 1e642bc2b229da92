"""The action, the pre-commit hook and the image work as far as they can without GitHub and without Docker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from bare_environment import bare_environment

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
BASE_MEGABYTES = 60  # gcr.io/distroless/python3-debian13, unpacked; scripts/image_size.py


def test_actionlint_accepts_the_workflows_and_the_action():
    process = subprocess.run([BIN / "actionlint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


def test_actionlint_knows_the_inputs_of_the_action(tmp_path):
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    shutil.copy(ROOT / "action.yml", tmp_path)
    workflow = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./\n        with: { fial: 1 }\n"
    (tmp_path / ".github/workflows/w.yml").write_text(workflow)
    process = subprocess.run([BIN / "actionlint"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 1 and 'input "fial" is not defined in action' in process.stdout


def test_no_script_of_the_action_has_an_expression_and_the_install_is_a_target():
    for step in STEPS.values():
        assert "${{" not in step["run"] and step["shell"] == "bash"
    assert "$RUNNER_TEMP/advisor/.installed" in STEPS["Install advisor"]["run"]
    command = ["make", "--dry-run", "--directory", str(ROOT), "VENV=build/none", "build/none/.installed"]
    plan = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "uv pip install" in plan and "pyproject.toml" in plan


@pytest.fixture
def runner(tmp_path):
    """Return a function that runs a step as the runner does, and the folder of the project."""
    project, temp = tmp_path / "project", tmp_path / "temp"
    project.mkdir()
    (temp / "advisor/bin").mkdir(parents=True)
    for name, words in (("advisor", "-m advisor"), ("python", "")):
        script = temp / "advisor/bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)

    def run(name, **env):
        variables = bare_environment(
            HOME=str(tmp_path), RUNNER_TEMP=str(temp), GITHUB_ACTION_PATH=str(ROOT), GITHUB_REPOSITORY="o/n",
            GITHUB_STEP_SUMMARY=str(temp / "summary"), GITHUB_OUTPUT=str(temp / "output"), PYTHONPATH=str(ROOT), **env,
        )  # fmt: skip
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]]
        return subprocess.run(words, cwd=project, env=variables, capture_output=True, text=True, check=False)

    return run, project, temp


def test_the_rank_step_writes_summary_sarif_and_outputs_and_the_last_step_fails_below_the_line(runner):
    run, project, temp = runner
    (project / "my requirements.txt").write_text("httpx\nflask\n")
    files = "my requirements.txt\n\n"
    process = run("Rank the dependencies", FILES=files, FAIL_UNDER="99", SARIF="a.sarif")
    assert process.returncode == 0, process.stderr
    assert (temp / "summary").read_text().startswith("## Health of dependencies")
    assert json.loads((project / "a.sarif").read_text())["runs"][0]["results"]
    assert (temp / "output").read_text() == f"code=4\nreport={temp / 'advisor.md'}\n"
    assert run("Fail below the line", CODE="4").returncode == 4
    assert run("Rank the dependencies", FILES=files, FAIL_UNDER="", SARIF="a.sarif").returncode == 0
    assert (temp / "output").read_text().count("code=0\n") == 1


@pytest.mark.parametrize(
    ("files", "message"), [("nowhere.txt", "nowhere.txt"), ("--help", "--help"), ("$(id).txt", "$(id)")]
)
def test_the_rank_step_fails_with_the_sentence_of_advisor(runner, files, message):
    process = runner[0]("Rank the dependencies", FILES=files, FAIL_UNDER="", SARIF="a.sarif")
    assert process.returncode == 2 and message in process.stderr


class Comments(BaseHTTPRequestHandler):
    """The three calls about comments that the action makes, over a list in the server."""

    def log_message(self, *_):
        """Say nothing."""

    def answer(self, content, status=200):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def read_body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]

    def do_GET(self):
        assert self.headers["Authorization"].endswith("secret")
        if self.path.startswith("/repos/o/n/issues/7/comments"):
            self.answer(self.server.comments)
        elif self.path == "/repos/o/n/issues/7":
            self.answer({"number": 7, "url": f"{self.server.address}/repos/o/n/issues/7"})

    def do_POST(self):
        place = len(self.server.comments)
        self.server.comments.append(self.server.comment(place, self.read_body(), "Bot"))
        self.answer(self.server.comments[-1], 201)

    def do_PATCH(self):
        place = int(self.path.rpartition("/")[2])
        self.server.comments[place]["body"] = self.read_body()
        self.server.edits += 1
        self.answer(self.server.comments[place])


@pytest.fixture
def github():
    server = HTTPServer(("127.0.0.1", 0), Comments)
    server.address = f"http://127.0.0.1:{server.server_port}"

    def comment(place, body, kind):
        url = f"{server.address}/repos/o/n/issues/comments/{place}"
        return {"id": place, "body": body, "user": {"type": kind, "login": kind}, "url": url, "html_url": url}

    server.comment, server.edits = comment, 0
    server.comments = [comment(0, "<!-- advisor: health of dependencies -->\nfrom a person", "User")]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_comment_is_kept_up_to_date(runner, github):
    run, _, temp = runner
    report = temp / "report.md"

    def comment(text):
        report.write_text(text)
        process = run("Keep one comment up to date", GITHUB_TOKEN="secret", GITHUB_API_URL=github.address, NUMBER="7",
                      REPORT=str(report))  # fmt: skip
        assert process.returncode == 0, process.stderr
        return [c["body"] for c in github.comments]

    mark = "<!-- advisor: health of dependencies -->\n"
    assert comment("first")[1:] == [f"{mark}first"]
    assert comment("second")[1:] == [f"{mark}second"]
    assert comment("second")[1:] == [f"{mark}second"] and github.edits == 1
    (*_, long) = comment("x" * 70_000)
    assert len(long) < 65_536 and long.endswith("see the summary of the workflow.")
    assert github.comments[0]["body"].endswith("from a person")


def test_the_hook_runs_from_a_clone_of_this_repository(tmp_path):
    """pre-commit clones and installs as it does for a user, except for the dependencies, which it borrows."""
    clone, project = tmp_path / "clone", tmp_path / "project"
    for folder in ("advisor", "finetune", "data"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / file, clone)
    (tmp_path / "empty").touch()
    env = bare_environment(
        HOME=str(tmp_path), PRE_COMMIT_HOME=str(tmp_path / "cache"), GIT_CONFIG_GLOBAL=str(tmp_path / "empty"),
        **{f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    )  # fmt: skip
    env |= {n: v for n, v in os.environ.items() if n.startswith("PIP_") or n == "UV_CACHE_DIR"}
    env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))

    def run(*words, folder):
        return subprocess.run(
            list(map(str, words)), cwd=folder, env=env, capture_output=True, text=True, check=False
        )

    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\ndependencies = ["httpx"]\n'
    )
    for folder in (clone, project):
        run("git", "init", "-q", folder=folder)
        run("git", "add", "-A", folder=folder)
        assert run("git", "commit", "-q", "-m", "all", folder=folder).returncode == 0
    process = run(
        sys.executable,
        "-m",
        "pre_commit",
        "try-repo",
        clone,
        "advisor",
        "--all-files",
        "--verbose",
        folder=project,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "health of dependencies" in process.stdout and "httpx" in process.stdout
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert all(
        re.search(hook["files"], n)
        for n in ("pyproject.toml", "a/requirements-dev.txt", "uv.lock", "package.json")
    )
    assert not re.search(hook["files"], "README.md")


def test_the_image_decides_with_what_its_dockerfile_installs_and_is_small(tmp_path):
    text = (ROOT / "Dockerfile").read_text()
    packages = re.search(r'PACKAGES="([^"]+)"', text)[1]
    (install,) = re.findall(r"RUN (printf (?:.*\\\n)+.*)", text)
    source, folder = tmp_path / "src", tmp_path / "advisor"
    keep = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in keep:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    script = (
        install.replace(" --no-cache", "")
        .replace("/advisor", str(folder))
        .replace("uv pip install", f"uv pip install --python {sys.executable}")
    )
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PACKAGES": packages,
        "UV_COMPILE_BYTECODE": "0",
    }
    subprocess.run(["sh", "-ec", script], cwd=source, env=env, check=True, capture_output=True)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
    assert size / 1e6 + BASE_MEGABYTES < 250
    (tmp_path / "requirements.txt").write_text("httpx\n")
    user = {"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    for words in (["rank"], ["rank", "--as-of", "2025-06-05"], ["explain", "trl"], ["rank", "--from", "requirements.txt"],
                  ["dashboard", "--months", "0"]):  # fmt: skip
        command = [sys.executable, "-S", "-m", "advisor", *words]
        process = subprocess.run(command, cwd=tmp_path, env=user, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
