"""What a started program says about its progress reaches the one who waits, and no log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from finetune import child_progress, isolation


def test_progress_of_a_program_is_no_part_of_its_errors():
    script = (
        "import sys; from finetune import child_progress as p; p.begin('load'); "
        "done = p.count_rows('answers', 3); print('a warning', file=sys.stderr); done(2); print('result')"
    )
    lines = []
    process = isolation.run_program(
        [sys.executable, "-c", script], on_progress=lambda *values: lines.append(values)
    )
    assert lines == [("load", 0, 0), ("answers", 0, 3), ("answers", 2, 3)]
    assert (process.returncode, process.stdout, process.stderr) == (0, "result\n", "a warning\n")


@pytest.mark.parametrize(
    "line", ["answers", "\x1eadvisor [", '\x1eadvisor ["a", 1]', '\x1eadvisor ["a", "b", 1]']
)
def test_other_lines_are_no_progress(line):
    assert child_progress.read_line(line) is None


def test_text_of_a_program_is_short_and_printable(capsys):
    child_progress.begin("\x1b[2J" + "x" * 500)
    text, done, total = child_progress.read_line(capsys.readouterr().err)
    assert (len(text), done, total) == (80, 0, 0)
    assert text.startswith("[2Jx")


def test_large_output_on_both_streams_does_not_block():
    script = "import sys; sys.stderr.write('e' * 300_000); sys.stdout.write('o' * 300_000)"
    process = isolation.run_program([sys.executable, "-c", script])
    assert (len(process.stdout), len(process.stderr)) == (300_000, 300_000)


def test_ctrl_c_ends_the_program_too(tmp_path):
    file = tmp_path / "pid"
    script = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(600)"

    def interrupt():
        while not (file.is_file() and file.read_text().endswith(".")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        isolation.run_program([sys.executable, "-c", script])
    thread.join()
    pid = file.read_text().removesuffix(".")
    assert subprocess.run(["ps", "-p", pid], capture_output=True, check=False).returncode == 1


def test_ctrl_c_while_a_line_is_shown_leaves_no_error_in_the_thread(monkeypatch):
    """The program is gone and its pipe closed before the thread asks for the next line."""
    errors = []
    monkeypatch.setattr(threading, "excepthook", errors.append)

    def show(*_):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)

    script = "import time; from finetune import child_progress as p; p.begin('load'); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        isolation.run_program([sys.executable, "-c", script], on_progress=show)
    time.sleep(0.6)
    assert errors == []
