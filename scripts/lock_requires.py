"""Write what the packages in the locks require, from their metadata: lock_requires.py OUT LOCK...

`tests/contract/test_locks.py` compares the locks with it, offline. A package that a lock has only for a later
Python than this one is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from finetune.process.environment import read_pins


def main(out: str, *locks: str) -> None:
    pins = sorted({pin for lock in locks for pin in read_pins(Path(lock)).items()})
    lines: dict[str, list[str]] = {}
    while pins:  # one call of pip cannot have two versions of a package
        batch = dict(pins)
        for package in read_metadata(batch):
            lines[f"{canonicalize_name(package['name'])}=={package['version']}"] = package.get(
                "requires_dist", []
            )
        pins = [pin for pin in pins if pin not in batch.items()]
    extras = {
        (canonicalize_name(requirement.name), extra)
        for group in lines.values()
        for requirement in map(Requirement, group)
        for extra in requirement.extras
    }
    requires = {
        pin: sorted(line for line in group if is_relevant(pin.partition("==")[0], line, extras))
        for pin, group in sorted(lines.items())
    }
    Path(out).write_text(json.dumps(requires, indent=0) + "\n")


def is_relevant(name: str, line: str, extras: set[tuple[str, str]]) -> bool:
    """Return whether a requirement is unconditional, or for an extra that a locked package asks for."""
    wanted = re.findall(r"extra == ['\"]([^'\"]+)['\"]", line)
    return not wanted or any((name, extra) in extras for extra in wanted)


def read_metadata(pins: dict[str, str]) -> list[dict[str, Any]]:
    """Return the metadata of each package; pip downloads no wheel where the index serves its metadata."""
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps",
        "--report", "-", *(f"{name}=={version}" for name, version in pins.items()),
    ]  # fmt: skip
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [package["metadata"] for package in json.loads(process.stdout)["install"]]


if __name__ == "__main__":
    main(*sys.argv[1:])
