"""Run a stack that is a single file, in that stack's environment: `python one_file.py STACK.py CONFIG RUN`.

This script calls the file's ``train(config, run, emit)``. It loads the file by path, so that the file's
folder is not on the import path: the modules there have the names of the libraries that they wrap.
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
    """Load the stack named by the first argument and pass the other arguments to `emit.main`."""
    spec = spec_from_file_location("stack_in_one_file", sys.argv.pop(1))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a path that ends in .py
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return main(module.train)


if __name__ == "__main__":
    sys.exit(run_file())
