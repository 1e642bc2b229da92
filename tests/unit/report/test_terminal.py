"""The output on a real terminal: colours, progress, no markup from outside, completion."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bare_environment import bare_environment
from collecting import build_environment, serve_fake
from fake_github import FakeGitHub, World
from small_world import fill, rows

import advisor
from advisor.facts import reading
from advisor.report.ranking.terminal import render


def in_a_terminal(*args, code=0, **env):
    """Return the output of a process on a terminal of 100 columns; assert its exit code."""
    parent, child = pty.openpty()
    environment = bare_environment(HOME=os.devnull, TERM="xterm", COLUMNS="100") | env
    environment["XDG_DATA_HOME"] = env.get("HOME", os.devnull)
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", *args], stdout=child, stderr=child, stdin=child, env=environment
    )
    os.close(child)
    screen = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        screen += part
    os.close(parent)
    assert process.wait() == code, screen
    return screen.decode()


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_gets_colours_and_complete_cells():
    screen = in_a_terminal("rank")
    assert re.search(r"\x1b\[1;3[1-3]m", screen)
    assert f"Recommendation: {advisor.recommend('finetuning').choice}" in plain(screen)
    assert max(len(line) for line in plain(screen).splitlines()) <= 100
    assert "…" not in plain(screen), "a long cell wraps and is not cut"


def test_no_color_turns_colours_off():
    assert "\x1b[" not in in_a_terminal("rank", NO_COLOR="1")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_from_outside_is_not_markup(width):
    answer = advisor.recommend(repositories=["trl"])
    hostile = replace(answer, doubts=("[bold red]x[/] [link=file:///etc]y[/link]",))
    assert "[bold red]x[/] [link=file:///etc]y[/link]" in " ".join(plain(render(hostile, width)).split())


def test_the_shell_completes_commands_formats_and_names():
    for words, completion in (
        ("advisor ra", "rank"),
        ("advisor rank --format mark", "markdown"),
        ("advisor rank tr", "trl"),
        ("advisor rank huggingf", "huggingface/trl"),
        ("advisor rank --domain web-frameworks --goal ind", "independence"),
        ("advisor rank --domain dataf", "dataframes"),
        ("advisor rank --set mod", "models="),
        ("advisor rank --method QL", "qlora"),
        ("advisor rank --hardware a", "amd"),
        ("advisor rank --avoid lis", "listed-company"),
        ("advisor rank --model Qwen3-", "Qwen3-Next"),
        ("advisor rank --category web-python/web-f", "web-python/web-frameworks"),
        ("advisor explain trl --metric contributor_", "contributor_absence_factor"),
        ("advisor coverage --vendor me", "Meta"),
        ("advisor methods dor", "DoRA"),
        ("advisor stacks build un", "unsloth"),
    ):
        count = len(words.split()) - 1
        env = bare_environment(_ADVISOR_COMPLETE="complete_bash", COMP_WORDS=words)
        command = [str(Path(sys.executable).with_name("advisor"))]
        process = subprocess.run(
            command, env={**env, "COMP_CWORD": str(count)}, capture_output=True, text=True, check=False
        )
        assert completion in process.stdout.split(), process


def test_a_collection_shows_bars_and_lines_for_what_is_missing(tmp_path):
    world = World(seed=3)
    world.add("o/n", issues=30)
    fake = FakeGitHub(world, retry_after=1)
    fake.responses["/repos/o/n/stargazers/history"] = (404, {}, {"message": "Not Found"})
    fake.faults.queue.extend(["secondary_403", None, "bad_gateway"])
    with serve_fake(fake) as url:
        env = build_environment(url, tmp_path, GITHUB_SERVER_URL=url.replace("http", "https"))  # nobody there
        screen = plain(in_a_terminal("collect", "o/n", "--source", "github", "--source", "git", "--store",
                                    str(tmp_path / "s"), code=3, **env))  # fmt: skip
    assert "all \N{BOX DRAWINGS HEAVY HORIZONTAL}" in screen and "points left" in screen
    assert "o/n: star history: " in screen, "GitHub has no history: a line above the bars"
    assert re.search("o/n: git: .*failed", screen.replace("\r\n", ""))
    assert "1 repositories collected: " in screen and "Traceback" not in screen


def test_a_collection_of_many_counts_complete_repositories_and_failures(tmp_path):
    git = ["git", "-C", str(tmp_path / "one"), "-c", "user.name=Ann", "-c", "user.email=a@corp.example"]
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "one")], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    (tmp_path / "list.txt").write_text(f"o/one {tmp_path.as_uri()}/one\nno/where {tmp_path.as_uri()}/no\n")
    screen = plain(in_a_terminal("collect", "--repos", str(tmp_path / "list.txt"), "--git-only", "--store",
                                str(tmp_path / "s"), code=3, HOME=str(tmp_path)))  # fmt: skip
    assert (
        "repositories \N{BOX DRAWINGS HEAVY HORIZONTAL}" in screen
        and "2/2" in screen
        and "1 failed" in screen
    )
    assert "missing (run the same command again to retry):\r\n  no/where: " in screen
    assert reading.open_store(tmp_path / "s").repositories() == ["o/one"]


def test_measuring_and_ranking_past_days_show_progress(tmp_path):
    fill(tmp_path / "s", rows())
    assert "100%" in in_a_terminal("measure", str(tmp_path / "s"))
    screen = in_a_terminal("dashboard", "-o", str(tmp_path / "r.html"), "--months", "1")
    assert "\rranking past days: 2 of 2\r\n" in screen
