"""What a person at a terminal meets: colour, no markup from outside, completion."""

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

import advisor
from advisor.report.terminal import render


def in_a_terminal(*args, **env):
    """What a process prints when its output is a real terminal of 100 columns."""
    parent, child = pty.openpty()
    environment = bare_environment(HOME=os.devnull, TERM="xterm", COLUMNS="100") | env
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", *args], stdout=child, stderr=child, stdin=child, env=environment
    )
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait() == 0, shown
    return shown.decode()


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_gets_colour_and_whole_cells():
    shown = in_a_terminal("rank")
    assert re.search(r"\x1b\[3[1-3]m", shown)
    assert "Recommendation: huggingface/trl" in plain(shown)
    assert max(len(line) for line in plain(shown).splitlines()) <= 100
    assert "…" not in plain(shown), "a cell is folded, never cut"


def test_no_color_is_honoured():
    assert not re.search(r"\x1b\[3[0-9]", in_a_terminal("rank", NO_COLOR="1"))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_comes_from_outside_is_not_markup(width):
    answer = advisor.recommend(repositories=["trl"])
    hostile = replace(answer, doubts=("[bold red]x[/] [link=file:///etc]y[/link]",))
    assert "[bold red]x[/] [link=file:///etc]y[/link]" in " ".join(plain(render(hostile, width)).split())


def test_the_shell_completes_commands_and_formats():
    for words, expected in (("advisor ra", "rank"), ("advisor rank --format mark", "markdown")):
        count = len(words.split()) - 1
        env = bare_environment(_ADVISOR_COMPLETE="complete_bash", COMP_WORDS=words)
        command = [str(Path(sys.executable).with_name("advisor"))]
        done = subprocess.run(
            command, env={**env, "COMP_CWORD": str(count)}, capture_output=True, text=True, check=False
        )
        assert expected in done.stdout.split(), done
