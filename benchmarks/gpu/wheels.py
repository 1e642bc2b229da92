"""Bring the wheels that the kit needs into folders of at most 64 MiB.

    python benchmarks/gpu/wheels.py build/gpu-kit
    options: --python 3.12 (of the GPU machine), --cuda 130, --version torchvision=0.26.0, --bundle NAME

The packages are in `bundles.toml`, their versions in the lock files; the platform is Linux on x86-64. The
machine has torch, triton, transformers, accelerate, tokenizers, safetensors, huggingface-hub and numpy.
torchvision must fit its torch: 0.26 fits torch 2.11. Of bitsandbytes only the libraries for a CPU and for one
CUDA version are kept, a tenth of its size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from finetune.process.environment import read_pins  # noqa: E402

LIMIT_BYTES = 64 * 2**20
BUNDLES = tomllib.loads(Path(__file__).with_name("bundles.toml").read_text("utf-8"))


def find_versions(bundle: str, python: str) -> dict[str, str]:
    """Return package → version, from the first lock file of the bundle that has it.

    Raises:
        LookupError: no lock file has a package.
    """
    names, files = BUNDLES[bundle]["packages"], [ROOT / lock for lock in BUNDLES[bundle]["locks"]]
    variables = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    variables |= {"platform_machine": "x86_64", "platform_system": "Linux"}
    pins: dict[str, str] = {}
    for file in reversed(files):
        pins |= read_pins(file, variables)
    missing = [name for name in names if name not in pins]
    if missing:
        raise LookupError(f"{bundle}: {', '.join(missing)} in none of {', '.join(map(str, files))}")
    return {name: pins[name] for name in names}


def download(folder: Path, versions: dict[str, str], python: str) -> None:
    """Bring the wheels of exact versions."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(5, 35)]
    platforms += ["manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64", "any"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python, "--dest", str(folder)]
    command += [word for platform in platforms for word in ("--platform", platform)]
    subprocess.run([*command, *(f"{name}=={version}" for name, version in versions.items())], check=True)


def slim(wheel: Path, cuda: str) -> None:
    """Keep only the libraries of bitsandbytes for a CPU and for one CUDA version."""
    kept = (f"libbitsandbytes_cuda{cuda}.so", "libbitsandbytes_cpu.so")
    draft = wheel.with_suffix(".draft")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        dropped = {name for name in names if "/libbitsandbytes_" in name and not name.endswith(kept)}
        if not any(name.endswith(kept[0]) for name in names):
            raise LookupError(f"{wheel.name} has no library for CUDA {cuda}")
        for name in names:
            if name in dropped:
                continue
            content = source.read(name)
            if name.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines(keepends=True)
                content = "".join(line for line in lines if line.split(",")[0] not in dropped).encode()
            target.writestr(name, content)
    draft.replace(wheel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--cuda", default="130")
    parser.add_argument("--bundle", choices=list(BUNDLES), action="append")
    parser.add_argument("--version", metavar="NAME=VERSION", action="append", default=[])
    args = parser.parse_args()
    other_versions = dict(word.split("=", 1) for word in args.version)
    for bundle in args.bundle or BUNDLES:
        folder = args.folder / bundle
        versions = find_versions(bundle, args.python)
        changes = {name: version for name, version in other_versions.items() if name in versions}
        download(folder, versions | changes, args.python)
        for wheel in folder.glob("bitsandbytes-*.whl"):
            slim(wheel, args.cuda)
        size = sum(file.stat().st_size for file in folder.glob("*.whl"))
        print(f"{bundle}: {len(list(folder.glob('*.whl')))} wheels, {size / 2**20:.1f} MiB")
        if size > LIMIT_BYTES:
            raise SystemExit(f"{folder} has more than {LIMIT_BYTES // 2**20} MiB")


if __name__ == "__main__":
    main()
