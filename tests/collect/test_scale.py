"""Ten thousand issues: the memory stays flat, and no page is asked for twice.

What a page costs in CPU time is measured by benchmarks/collect_github.py.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from collecting import environment, facts_of, served
from fake_github import FakeGitHub, World

# Memory as the kernel counts it for this program alone, without the fake, which is another process.
CHILD = """
import re, json
from advisor.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(json.dumps({"peak": peak}))
"""


def measured(tmp_path, issues):
    tmp_path.mkdir(exist_ok=True)
    world = World(seed=51)
    world.add("o/n", issues=issues, pulls=0, discussions=0, releases=0)
    fake = FakeGitHub(world)
    with served(fake) as url:
        args = ["collect", "o/n", "--source", "github", "--store", str(tmp_path / f"{issues}")]
        done = subprocess.run([sys.executable, "-c", CHILD, *args], env=environment(url, tmp_path), check=True,
                              capture_output=True, text=True)  # fmt: skip
    assert len(facts_of(tmp_path / f"{issues}")["threads/o__n@github-issues.parquet"]) == issues
    pages = sum(1 for _, path, _ in fake.log if path == "/graphql") - 1
    return {**json.loads(done.stdout), "pages": pages}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    return measured(folder, 100), measured(folder, 10_000)


def test_memory_is_flat(runs):
    small, large = runs
    assert large["peak"] - small["peak"] < 50e6


def test_a_page_holds_a_hundred(runs):
    small, large = runs
    assert 99 <= large["pages"] - small["pages"] <= 130
