"""Runs a stack that is one file, in that stack's environment: `python one_file.py STACK.py CONFIG RUN`.

The file's ``train(config, run, emit)`` is called. It is loaded by its path: its folder, whose files have the
names of the libraries that they wrap, never comes onto the path.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from finetune.runners.emit import main
else:
    from emit import main


def run_file() -> int:
    """Take the stack's path from the command line; the rest of it is `emit.main`'s."""
    spec = spec_from_file_location("stack_in_one_file", sys.argv.pop(1))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a path that ends in .py
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return main(module.train)


if __name__ == "__main__":
    sys.exit(run_file())
