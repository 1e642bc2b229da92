"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal

import pytest
from fork_server import ForkServer
from hypothesis import settings
from small_world import fill, rows

from advisor.files import cache_home
from finetune import isolation

# Environments of stacks, the demo's model, and the packages of Slurm.
SHARED_CACHES = ("environments", "models", "slurm")
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
