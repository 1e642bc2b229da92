"""Carry out the Dockerfile without Docker, try the image, and print its size.

Usage, as root on Debian with debootstrap: python scripts/image_size.py FOLDER

The image's base is put together from the Debian packages that distroless names in its own build files
(python3/config.bzl, cc/config.bzl, base/config.bzl and static/config.bzl, read on 2026-11-27).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHROOT = "/usr/sbin/chroot"
RELEASE = "trixie"
PYTHON = "3.13"
STATIC = "base-files netbase tzdata tzdata-legacy media-types ca-certificates"
BASE = "libc6 libssl3t64 libzstd1 zlib1g libgomp1 libstdc++6 libgcc-s1 gcc-14-base"
PYTHON_PACKAGES = (
    "libbz2-1.0 libdb5.3t64 libexpat1 liblzma5 libsqlite3-0 libuuid1 libncursesw6 libtinfo6 libcom-err2 libcrypt1"
    " libc-bin libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 libnsl2 libreadline8t64"
    f" libtirpc3t64 libffi8 libpython{PYTHON}-minimal libpython{PYTHON}-stdlib python{PYTHON}-minimal"
    f" python{PYTHON}-venv"
)
TRIALS = (
    ["rank"],
    ["explain", "trl"],
    ["rank", "--from", "requirements.txt"],
    ["rank", "--as-of", "2025-06-05"],
)


def run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command; a failure ends the script."""
    subprocess.run(command, check=True, env=env)


def build(folder: Path, steps: list[str], packages: str) -> None:
    """Carry out the steps of the first stage in a Debian system with its Python."""
    if not (folder / "usr" / "bin" / "python3").exists():
        include = "--include=python3,python3-pip,ca-certificates"
        run("debootstrap", "--variant=minbase", include, RELEASE, str(folder))
    for name in ("resolv.conf", "hosts", "ssl/certs/ca-certificates.crt"):
        shutil.copy(Path("/etc") / name, folder / "etc" / name)
    for name in ("src", "advisor"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "src").mkdir()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            run("cp", "-r", str(ROOT / line[1:]), str(folder / "src"))
    run("find", str(folder / "src"), "-name", "__pycache__", "-prune", "-exec", "rm", "-r", "{}", "+")
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": "/root",
        "PACKAGES": packages,
        "PIP_BREAK_SYSTEM_PACKAGES": "1",  # Debian's Python asks for it; the image's has no system packages
        "UV_SYSTEM_CERTS": "1",
    }
    for step in steps:
        run(CHROOT, str(folder), "sh", "-ec", f"cd /src && {step}", env=environment)
    names = f"{STATIC} {BASE} {PYTHON_PACKAGES}"
    run(
        CHROOT,
        str(folder),
        "sh",
        "-ec",
        f"mkdir -p /debs && cd /debs && apt-get -qq update && apt-get -qq download {names}",
    )


def assemble(build_folder: Path, folder: Path) -> None:
    """Unpack the packages of the base, and copy what the first stage installed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for package in sorted((build_folder / "debs").glob("*.deb")):
        run("dpkg-deb", "--extract", str(package), str(folder))
    certificates = "etc/ssl/certs/ca-certificates.crt"
    (folder / certificates).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(build_folder / certificates, folder / certificates)
    (folder / "usr" / "bin" / "python3").symlink_to(f"python{PYTHON}")
    shutil.copytree(build_folder / "advisor", folder / "advisor", symlinks=True)
    (folder / "work").mkdir()


def measure(folder: Path) -> None:
    """Print the size of the files, and of their compressed archive."""
    tar = ["tar", "--create", "--directory", str(folder), "."]
    packed = subprocess.run(["sh", "-c", '"$@" | gzip | wc -c', "sh", *tar], check=True, capture_output=True)
    parts = {"image": folder, "of it /advisor": folder / "advisor"}
    for name, part in parts.items():
        size = sum(p.lstat().st_size for p in part.rglob("*") if p.is_file() and not p.is_symlink())
        print(f"{name}: {size / 1e6:.0f} MB")
    print(f"image as a compressed archive: {int(packed.stdout) / 1e6:.0f} MB")


def try_out(folder: Path) -> None:
    """Run the image's command as its user."""
    # Docker gives a container these.
    os.mknod(folder / "dev" / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (folder / "work" / "requirements.txt").write_text("httpx\n")
    environment = {
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/advisor",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for words in TRIALS:
        # The image has no shell: Python changes the folder.
        code = f"import os; os.chdir('/work'); os.execv('/usr/bin/python3', ['python3', '-m', 'advisor', *{words!r}])"
        process = subprocess.run(
            [CHROOT, "--userspec=65532:65532", str(folder), "/usr/bin/python3", "-c", code],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(f"advisor {' '.join(words)}: exit code {process.returncode}; {process.stdout.splitlines()[:1]}")
        if process.returncode:
            sys.exit(process.stderr)


def main() -> None:
    """Carry out both stages in a folder."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("run this as root, with debootstrap")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "Dockerfile").read_text().partition("\nFROM gcr.io")[0]
    steps = [
        step.replace("\\\n", "") for step in re.findall(r"^RUN ((?:.*\\\n)*.*)", text, flags=re.MULTILINE)
    ]
    packages = re.search(r'PACKAGES="([^"]+)"', text)
    build(folder / "build", steps, packages[1] if packages else "")
    assemble(folder / "build", folder / "image")
    measure(folder / "image")
    try_out(folder / "image")


if __name__ == "__main__":
    main()
