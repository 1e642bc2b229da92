"""What an install brings: real uv and pip against an index of small wheels, and a real import."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import threading
import zipfile
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app, load
from advisor.collect.install_weight import collect_weight
from advisor.collect.install_weight.import_time import measure_import
from advisor.collect.install_weight.index_reports import read_advisories
from advisor.collect.install_weight.lock import Lock, Part, find_lock
from advisor.collect.install_weight.programs import ProgramError, Programs, run_program
from advisor.domain.licences import kind_of_expression
from advisor.domain.pythons import pythons_on
from advisor.errors import InputError
from advisor.facts import reading
from finetune.process.environment import find_uv

DAY = date(2024, 6, 1)
ANY = "py3-none-any"


def wheel(name, version, tag=ANY, *lines):
    """Return the name and the bytes of a wheel with this metadata."""
    content = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    metadata = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    files = {f"{name}/__init__.py": f"__version__ = {version!r}\n", f"{info}/METADATA": metadata,
             f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"}  # fmt: skip
    digests = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
               for path, text in files.items()}  # fmt: skip
    files[f"{info}/RECORD"] = "".join(f"{path},sha256={d},\n" for path, d in digests.items())
    with zipfile.ZipFile(content, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return f"{name}-{version}-{tag}.whl", content.getvalue()


def read_metadata(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return next(archive.read(name) for name in archive.namelist() if name.endswith("METADATA"))


LINUX = "cp311-cp311-manylinux_2_17_x86_64"
WHEELS = {
    "2024-05-01": [
        wheel("lib", "1.0", ANY, "License: MIT", "Requires-Dist: engine>=1", "Requires-Dist: tool; extra == 'all'",
              "Requires-Python: >=3.10"),
        wheel("engine", "1.0", LINUX, "Classifier: License :: OSI Approved :: Apache Software License"),
        wheel("tool", "1.0"),
    ],
    "2024-06-15": [wheel("lib", "2.0", ANY, "Requires-Dist: nothing-like-it")],
}  # fmt: skip


@pytest.fixture(scope="module")
def programs():
    """Uv and pip with an index on this machine, whose files have sizes and days."""
    files = {name: (content, day) for day, wheels in WHEELS.items() for name, content in wheels}

    class Index(BaseHTTPRequestHandler):
        def do_GET(self):
            words = self.path.strip("/").split("/")
            if words[0] == "files" and words[1] in files:
                return self.answer("application/octet-stream", files[words[1]][0])
            if words[0] == "files" and words[1].removesuffix(".metadata") in files:
                return self.answer("text/plain", read_metadata(files[words[1].removesuffix(".metadata")][0]))
            names = [n for n in files if n.partition("-")[0] == words[-1]]
            if not names:
                return self.send_error(404)
            entries = [
                {"filename": n, "url": f"/files/{n}", "hashes": {"sha256": hashlib.sha256(files[n][0]).hexdigest()},
                 "size": len(files[n][0]), "upload-time": f"{files[n][1]}T12:00:00Z", "core-metadata": True} for n in names
            ]  # fmt: skip
            body = {"meta": {"api-version": "1.1"}, "name": words[-1], "versions": [], "files": entries}
            return self.answer("application/vnd.pypi.simple.v1+json", json.dumps(body).encode())

        def answer(self, kind, body):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index = f"http://127.0.0.1:{server.server_port}/simple"
    variables = {"PATH": str(Path(sys.executable).parent), "UV_NO_CACHE": "1", "UV_DEFAULT_INDEX": index,
                 "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": "/dev/null", "UV_PYTHON": sys.executable}  # fmt: skip
    yield Programs(
        (find_uv(),), (sys.executable, "-m", "pip"), (sys.executable, "-c", "raise SystemExit(3)"), variables
    )
    server.shutdown()
    server.server_close()


def test_the_lock_of_the_day_with_sizes_licences_and_where_it_installs(programs, tmp_path):
    notes = []
    collect_weight("own/lib", "lib", tmp_path, programs, day=DAY, progress=notes.append)
    rows = reading.read_rows(reading.open_store(tmp_path), "installs", "own/lib")
    sizes = {name.partition("-")[0]: len(content) for name, content in WHEELS["2024-05-01"]}
    assert {
        (r["part"], r["part_version"], r["size_bytes"], r["licence"], r["licence_kind"]) for r in rows
    } == {
        ("lib", "1.0", sizes["lib"], "MIT", "permissive"),
        ("engine", "1.0", sizes["engine"], "Apache-2.0", "permissive"),
    }, "version 2.0 came later, and an extra is not what the package needs"
    assert {(r["version"], r["python"], r["pythons"], r["systems"], r["advisories"]) for r in rows} == {
        ("1.0", "3.11", "3.11", "linux", None)
    }, "engine has a wheel for one Python on one system"
    assert any("the advisories are unknown" in note for note in notes)
    collect_weight("own/lib", "lib", tmp_path, programs, day=date(2024, 5, 10))
    days = {r["day"] for r in reading.read_rows(reading.open_store(tmp_path), "installs", "own/lib")}
    assert days == {DAY, date(2024, 5, 10)}, "each day stays"


def test_what_cannot_be_locked_says_why(programs):
    lock = find_lock("lib", date(2024, 7, 1), programs)
    assert (lock.version, lock.parts, lock.pythons) == ("2.0", (), ())
    assert "nothing-like-it" in lock.reason
    nothing = find_lock("no-such-package", DAY, programs)
    assert nothing.version == "" and "no-such-package" in nothing.reason


@pytest.mark.parametrize("package", ["-r /etc/passwd", "lib @ file:///etc", "a b", "lib\n-r x", ""])
def test_only_a_name_reaches_uv(package, programs, tmp_path):
    with pytest.raises(InputError, match="invalid name of a package"):
        collect_weight("own/lib", package, tmp_path, programs, day=DAY)


def test_advisories_by_the_report_of_pip_audit(tmp_path):
    report = {"dependencies": [
        {"name": "Engine", "version": "1.0", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]},
        {"name": "lib", "version": "1.0", "vulns": []}, {"name": "own", "skip_reason": "not on PyPI"},
    ], "fixes": []}  # fmt: skip
    write = f"import pathlib, sys; pathlib.Path(sys.argv[-1]).write_text({json.dumps(report)!r}); sys.exit(1)"
    fake = Programs(("uv",), audit=(sys.executable, "-c", write))
    lock = Lock(
        "lib", "1.0", "3.12", tuple(Part(name, "1.0", 1, is_wheel=True) for name in ("lib", "engine", "own"))
    )
    advisories, note = read_advisories(lock, fake)
    assert advisories == {"engine": 2, "lib": 0}
    assert note == "the advisories of 1 packages are unknown to pip-audit"


def test_a_program_that_is_missing_or_silent_is_an_error():
    with pytest.raises(ProgramError, match="nowhere is not installed"):
        run_program(["nowhere"], Programs(("uv",)), {}, "out")
    with pytest.raises(ProgramError, match="it did not say why"):
        run_program([sys.executable, "-c", "pass"], Programs(("uv",)), {}, "out")


def test_the_import_of_a_library_in_an_environment(tmp_path):
    slow = measure_import(Path(sys.executable), "typer", {})
    assert (slow.module, slow.python) == ("typer", f"{sys.version_info.major}.{sys.version_info.minor}")
    assert 0 < slow.seconds <= slow.slowest
    with pytest.raises(InputError, match="does not have the package no-such-package"):
        measure_import(Path(sys.executable), "no-such-package", {})
    with pytest.raises(InputError, match="no Python"):
        measure_import(tmp_path / "python", "typer", {})


def test_the_command_needs_a_package():
    load("collect-weight")
    result = CliRunner().invoke(app, ["collect-weight", "own/unknown"])
    assert isinstance(result.exception, InputError) and "own/unknown=PACKAGE" in str(result.exception)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("MIT", "permissive"), ("Apache 2.0 License", "permissive"), ("Apache License 2.0", "permissive"),
        ("GPL-3.0-only OR MIT", "permissive"), ("MPL-2.0 AND MIT", "copyleft"),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-2-Clause", "permissive"),
        ("Other/Proprietary License", "restricted"), ("LicenseRef-NVIDIA-Proprietary", "restricted"),
        ("MIT AND Something-New", None), ("", None),
    ],
)  # fmt: skip
def test_the_kind_of_an_expression(expression, kind):
    assert kind_of_expression(expression) == kind


def test_python_versions_of_a_day():
    assert pythons_on(date(2024, 6, 1)) == ("3.8", "3.9", "3.10", "3.11", "3.12")
    assert pythons_on(date(2025, 10, 31)) == ("3.10", "3.11", "3.12", "3.13", "3.14")
