"""Environments of several versions of trl that share every other package with the environment of the tests.

A real one is built with uv from the version's lock file, and takes 1 to 4 GB. Here the folder of that
environment has links to the packages of the tests, which have the versions of the lock file too, and its own trl.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from finetune.process import environment, version_lock
from finetune.stacks import trl

_OWN = ("trl", "library_advisor", "_editable_impl_library_advisor", "__pycache__")
_SCALE = """

_compute_loss = SFTTrainer.compute_loss


def _compute_scaled_loss(self, *args, **kwargs):
    result = _compute_loss(self, *args, **kwargs)
    return (result[0] * {scale}, *result[1:]) if isinstance(result, tuple) else result * {scale}


SFTTrainer.compute_loss = _compute_scaled_loss
"""


def read_cache_folder():
    """Return the folder of uv's cache, for tests that give advisor another cache folder."""
    command = [environment.find_uv(), "cache", "dir"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def link_environment(version):
    """Prepare the environment of a released version in the cache folder; trl itself comes from the index."""
    lock = version_lock.lock_version(trl.lock, version)
    folder = _link_packages(lock)
    command = [
        environment.find_uv(),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        folder / "bin" / "python",
    ]
    subprocess.run([*command, f"trl=={version}"], check=True, env=environment.uv_variables())
    _seal(folder)


def link_scaled_environment(source, version, scale):
    """Prepare an environment whose trl is that of another version, with its training loss scaled."""
    lock = version_lock.locate_lock(trl.lock, version)
    for suffix in (".in", ".lock"):
        text = version_lock.locate_lock(trl.lock, source).with_suffix(suffix).read_text("utf-8")
        lock.with_suffix(suffix).write_text(text.replace(f"trl=={source}", f"trl=={version}"), "utf-8")
    source_folder = environment.environment_folder(version_lock.locate_lock(trl.lock, source))
    folder = _link_packages(lock)
    for name, new_name in (("trl", "trl"), (f"trl-{source}.dist-info", f"trl-{version}.dist-info")):
        shutil.copytree(_packages(source_folder) / name, _packages(folder) / new_name)
    metadata = _packages(folder) / f"trl-{version}.dist-info" / "METADATA"
    metadata.write_text(
        metadata.read_text("utf-8").replace(f"\nVersion: {source}\n", f"\nVersion: {version}\n"), "utf-8"
    )
    with (_packages(folder) / "trl" / "trainer" / "sft_trainer.py").open("a", encoding="utf-8") as file:
        file.write(_SCALE.format(scale=scale))
    _seal(folder)


def _packages(folder):
    return folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _link_packages(lock):
    """Create the environment of a lock file with links to all packages except trl; return its folder."""
    folder = environment.environment_folder(lock)
    command = [environment.find_uv(), "venv", "--quiet", "--python", sys.executable, folder]
    subprocess.run(command, check=True, env=environment.uv_variables())
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name.partition("-")[0].removesuffix(".pth") not in _OWN:
            link = _packages(folder) / path.name
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return folder


def _seal(folder):
    names = sorted(path.name for path in _packages(folder).glob("*.dist-info"))
    packages = [name.partition("-")[0].replace("_", "-").lower() for name in names]
    (folder / "advisor-seal.json").write_text(json.dumps({"seconds": 0.0, "bytes": 0, "packages": packages}))
