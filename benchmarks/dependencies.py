"""Time and memory of `advisor rank --from` on large files: python benchmarks/dependencies.py.

Prints seconds of wall clock and of processor, and the peak of memory, for a lock of 5,000 packages in each of
several formats, and for 200,000 plain names.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PACKAGES, NAMES = 5_000, 200_000
WHEELS, NEEDS = 8, 6  # of each package in uv.lock


def uv_lock(count: int) -> str:
    """Return a uv.lock whose packages have several wheels and need several others."""
    entries = []
    for n in range(count):
        wheels = "".join(
            f'    {{ url = "https://files.pythonhosted.org/packages/{n}/{k}/package_{n}-1.0-cp3{k}-linux.whl",'
            f' hash = "sha256:{n:064}", size = {n + k} }},\n'
            for k in range(WHEELS)
        )
        needs = "".join(f'    {{ name = "package-{(n * 7 + k) % count}" }},\n' for k in range(NEEDS))
        entries.append(
            f'[[package]]\nname = "package-{n}"\nversion = "1.0.{n}"\n'
            'source = { registry = "https://pypi.org/simple" }\n'
            f"dependencies = [\n{needs}]\nwheels = [\n{wheels}]\n"
        )
    own = '[[package]]\nname = "mine"\nsource = { virtual = "." }\ndependencies = [{ name = "package-0" }]\n'
    return "\n".join(["version = 1", own, *entries])


def npm_lock(count: int) -> str:
    """Return a package-lock.json of version 3."""
    packages = {
        f"node_modules/package-{n}": {
            "version": "1.0.0", "resolved": f"https://registry.npmjs.org/package-{n}/-/package-{n}-1.0.0.tgz",
            "integrity": "sha512-x", "dependencies": {f"package-{(n * 7) % count}": "^1"},
        }
        for n in range(count)
    }  # fmt: skip
    return json.dumps(
        {"lockfileVersion": 3, "packages": {"": {"dependencies": {"package-1": "1"}}, **packages}}, indent=2
    )


def yarn_lock(count: int) -> str:
    """Return a yarn.lock of version 1."""
    entries = "".join(
        f'package-{n}@^1.0.0:\n  version "1.0.0"\n  resolved "https://registry.yarnpkg.com/package-{n}/-/package-{n}-1.0.0.tgz#x"\n'
        f'  dependencies:\n    package-{(n * 7) % count} "^1.0.0"\n\n'
        for n in range(count)
    )
    return f"# yarn lockfile v1\n\n\n{entries}"


def cyclonedx(count: int) -> str:
    """Return an SBOM with a graph."""
    components = [
        {
            "type": "library",
            "bom-ref": str(n),
            "name": f"package-{n}",
            "version": "1.0",
            "purl": f"pkg:pypi/package-{n}@1.0",
        }
        for n in range(count)
    ]
    graph = [{"ref": str(n), "dependsOn": [str((n * 7) % count)]} for n in range(count)]
    return json.dumps({"bomFormat": "CycloneDX", "components": components, "dependencies": graph}, indent=1)


def names(count: int) -> str:
    """Return a requirements file of plain names."""
    return "".join(f"package-{n}\n" for n in range(count))


FILES: Mapping[str, tuple[Callable[[int], str], int]] = {
    "uv.lock": (uv_lock, PACKAGES),
    "package-lock.json": (npm_lock, PACKAGES),
    "yarn.lock": (yarn_lock, PACKAGES),
    "bom.json": (cyclonedx, PACKAGES),
    "requirements.txt": (names, NAMES),
}


def main() -> None:
    """Write each file, rank it in a process of its own, and print what it took."""
    print("file, packages, MB, seconds, seconds of processor, peak MB")
    with tempfile.TemporaryDirectory() as folder:
        for name, (write, count) in FILES.items():
            path = Path(folder, name)
            path.write_text(write(count))
            command = [sys.executable, "-m", "advisor", "rank", "--from", str(path), "--store", "bundled",
                       "--format", "csv", "--output", str(Path(folder, "report.csv"))]  # fmt: skip
            start = time.perf_counter()
            process = os.posix_spawn(sys.executable, command, os.environ)
            _, status, usage = os.wait4(process, 0)
            if status:
                raise SystemExit(f"{name}: exit status {status}")
            wall, own = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
            size = path.stat().st_size / 1e6
            print(
                f"{name}, {count:,}, {size:.1f}, {wall:.1f}, {own:.1f}, {usage.ru_maxrss / 1024:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
