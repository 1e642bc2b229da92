"""A store in S3 is measured by both engines, on the S3 server of moto in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from measuring import measure_repositories
from small_world import AS_OF, NAMES, fill, rows

from advisor.facts import reading
from advisor.measure.cache import read_store_measurements
from finetune.process.environment import ensure_environment

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "tests" / "support" / "s3.lock"
SERVER = (
    "import sys; from moto.server import ThreadedMotoServer; server = ThreadedMotoServer('127.0.0.1', 0, verbose=False);"
    " server.start(); print(server.get_host_and_port()[1], flush=True); sys.stdin.read()"
)
COPY = (
    "import sys, s3fs; system = s3fs.S3FileSystem(); system.makedirs('bucket', exist_ok=True);"
    " getattr(system, sys.argv[1])(sys.argv[2], sys.argv[3], recursive=True)"
)


@pytest.fixture(scope="session")
def s3_python():
    """A Python with s3fs and moto, which the environment of the tests does not have."""
    return str(ensure_environment(LOCK, ("moto", "s3fs")).python)


@pytest.fixture
def run_with_s3(s3_python, tmp_path):
    """A function that runs Python with s3fs and advisor, on an empty S3."""
    with subprocess.Popen(
        [s3_python, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        port = server.stdout.readline().decode().strip()
        variables = {
            **os.environ,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]),
            "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        }

        def run(*arguments):
            result = subprocess.run(
                [s3_python, *arguments],
                check=False,
                env=variables,
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
            assert result.returncode == 0, result.stderr
            return result.stdout

        yield run
        server.stdin.close()


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_both_engines_read_and_write_s3(engine, run_with_s3, tmp_path):
    fill(tmp_path / "facts", rows())
    run_with_s3("-c", COPY, "put", f"{tmp_path}/facts/", "bucket/facts/")
    command = ("-m", "advisor", "measure", "s3://bucket/facts", "--engine", engine)
    assert f"s3://bucket/facts: {len(NAMES)} repositories" in run_with_s3(*command)
    assert "ranges unchanged" in run_with_s3(*command)
    run_with_s3("-c", COPY, "get", "bucket/facts/", f"{tmp_path}/copy/")
    store = reading.open_store(tmp_path / "copy")
    assert read_store_measurements(store, NAMES, AS_OF) == measure_repositories(store, NAMES, AS_OF)[0]
