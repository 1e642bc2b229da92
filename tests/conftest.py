"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
import signal
from itertools import zip_longest
from pathlib import Path

import pytest
from fork_server import ForkServer
from hypothesis import settings
from small_world import fill, rows

from advisor.files import cache_home
from finetune import isolation

# Environments of stacks, the demo's model, and the packages of Slurm.
SHARED_CACHES = ("environments", "models", "slurm")
# A worker runs whole files: one that started late would end long after the others.
LONG_FILES = (
    "train/test_demo.py",
    "docs/test_how_to.py",
    "train/test_parity.py",
    "train/test_gpu_kit.py",
    "train/test_methods.py",
    "train/test_robust.py",
    "train/test_benchmarks.py",
    "stacks/test_every_event.py",
    "unit/measure/test_many.py",
    "train/test_notebook.py",
    "security/test_full_disks.py",
    "docs/test_tutorial.py",
)
# A property holds or does not; on a busy machine its first example may take seconds.
settings.register_profile("any machine", deadline=None)
# mutmut runs the tests a thousand times; ten examples find nearly all that a hundred find.
settings.register_profile("mutants", deadline=None, max_examples=10, database=None)
settings.load_profile("mutants" if "MUTANT_UNDER_TEST" in os.environ else "any machine")
# The tests run side by side: one with a thread for each processor would wait for the threads of the others.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell that starts the tests in the background has Ctrl-C ignored, and so would every program that the
# tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Start one worker more than there are processors: tests of a page or a process wait a third of their time."""
    return (yield) + 1


def pytest_collection_modifyitems(items):
    """Start the files that take minutes first, and those that wait for a browser between those that compute."""
    groups = {}
    for item in items:
        groups.setdefault(item.path, []).append(item)
    folder = Path(__file__).parent
    long = [path for name in LONG_FILES if (path := folder / name) in groups]
    others = [path for path in groups if path not in long]
    waiting = [path for path in others if path.parent.name == "browser"]
    computing = long + [path for path in others if path not in waiting]
    order = [path for pair in zip_longest(computing, waiting) for path in pair if path]
    items[:] = [item for path in order for item in groups[path]]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Leave the thousands of tests out of every later collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("world"), rows())


@pytest.fixture(scope="session")
def server(folders_of_ones_own):
    """Starts programs of a training that need not import torch again."""
    server = ForkServer({**os.environ, **isolation.OFFLINE})
    yield server
    server.close()


@pytest.fixture(scope="session", autouse=True)
def folders_of_ones_own(tmp_path_factory):
    """The tests neither read nor write what the person who runs them, or another process of theirs, has.

    Only what takes minutes to make, and what other programs have, stays in the user's cache.
    """
    shared, folders = cache_home(), {}
    for name in ("CACHE", "DATA", "STATE"):
        folders[name] = tmp_path_factory.mktemp(f"{name.lower()}-home")
    (folders["CACHE"] / "advisor").mkdir()
    for name in SHARED_CACHES:
        (shared / name).mkdir(parents=True, exist_ok=True)
        (folders["CACHE"] / "advisor" / name).symlink_to(shared / name)
    with pytest.MonkeyPatch.context() as patch:
        for program in ("uv", "pip"):
            if f"{program.upper()}_CACHE_DIR" not in os.environ:
                patch.setenv(f"{program.upper()}_CACHE_DIR", str(shared.parent / program))
        for name, folder in folders.items():
            patch.setenv(f"XDG_{name}_HOME", str(folder))
        yield
