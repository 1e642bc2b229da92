"""Ten thousand issues: memory stays constant, and every page is read once.

benchmarks/collect_github.py measures the CPU time per page.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from collecting import build_environment, read_all_facts, serve_fake
from fake_github import FakeGitHub, World

# Peak memory of the collector, without the fake, which is another process.
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


def measure(tmp_path, issues):
    tmp_path.mkdir(exist_ok=True)
    world = World(seed=51)
    world.add("o/n", issues=issues, pulls=0, discussions=0, releases=0)
    fake = FakeGitHub(world)
    with serve_fake(fake) as url:
        args = ["collect", "o/n", "--source", "github", "--store", str(tmp_path / f"{issues}")]
        process = subprocess.run([sys.executable, "-c", CHILD, *args], env=build_environment(url, tmp_path), check=True,
                              capture_output=True, text=True)  # fmt: skip
    assert len(read_all_facts(tmp_path / f"{issues}")["threads/o__n@github-issues.parquet"]) == issues
    pages = sum(1 for _, path, _ in fake.log if path == "/graphql") - 1
    return {**json.loads(process.stdout), "pages": pages}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    return measure(folder, 100), measure(folder, 10_000)


def test_memory_is_constant(runs):
    small, large = runs
    assert large["peak"] - small["peak"] < 50e6


def test_a_page_has_a_hundred_issues(runs):
    small, large = runs
    assert 99 <= large["pages"] - small["pages"] <= 130
