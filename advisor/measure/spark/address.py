"""A store at an address: open it, make it readable for Spark, and publish measurements beside it.

An address is a URL that fsspec can read (``s3://…``). A cluster reads the facts at that address, so Spark
must support it too. A local Spark has no Hadoop connectors, so it reads a local copy.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure.cache import FOLDER
from advisor.measure.seals import make_seal


def open_address(address: str) -> Store:
    """Open a store at an address; the store's path is the address without the protocol.

    Raises:
        SnapshotMissing: there is no store.
        FactsError: its manifest cannot be read.
    """
    if "://" not in address:
        return reading.open_store(Path(address))
    import fsspec

    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        try:
            with fsspec.open(f"{address.rstrip('/')}/manifest.json", "rb") as file:
                (Path(folder) / "manifest.json").write_bytes(file.read())
        except FileNotFoundError:
            raise SnapshotMissing(f"no snapshot at {address}: there is no manifest.json") from None
        except (ImportError, OSError, ValueError) as error:
            raise FactsError(f"{address}/manifest.json cannot be read: {error}") from None
        try:
            manifest = reading.open_store(Path(folder)).manifest
        except FactsError as error:
            raise type(error)(str(error).replace(folder, address.rstrip("/"))) from None
    return Store(Path(address.partition("://")[2]), manifest)


@contextmanager
def reachable_store(store: Store, address: str, master: str) -> Iterator[tuple[Store, str]]:
    """Yield the store and the address where Spark can read it, which may be a temporary copy."""
    if "://" not in address:
        yield store, Path(address).resolve().as_uri()
    elif address.startswith("file://") or not master.startswith("local"):
        yield store, address.rstrip("/")
    else:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
        with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
            copy = Store(Path(folder), store.manifest)
            files = sorted({entry.get("in", f) for f, entry in store.manifest["files"].items()})
            system.get([f"{path.rstrip('/')}/{f}" for f in files], [str(copy.path / f) for f in files])
            yield copy, copy.path.as_uri()


def publish_measurements(place: str, address: str, name: str, index: Callable[[Sequence[str]], str]) -> None:
    """Copy the measurements beside the facts, write their index, and delete older measurements.

    Args:
        place: the address where Spark wrote the measurements (from `reachable_store`).
        address: the address of the facts.
        name: folder of the measurements.
        index: function that returns the text of the index for a list of files.
    """
    import fsspec

    system, origin = fsspec.core.url_to_fs(f"{place}/{FOLDER}/{name}")
    files = sorted(Path(f).name for f in system.glob(f"{origin}/*.parquet"))
    system, target = fsspec.core.url_to_fs(f"{address.rstrip('/')}/{FOLDER}")
    if f"{target}/{name}" != origin:
        for file in files:
            system.makedirs(f"{target}/{name}", exist_ok=True)
            system.put_file(f"{origin}/{file}", f"{target}/{name}/{file}")
    for file in files:
        with system.open(f"{target}/{name}/{file}", "rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        _write_seal(system, target, f"{name}/{file}", sha256)
    text = index([f"{name}/{f}" for f in files]).encode()
    with system.open(f"{target}/index.json", "wb") as file:
        file.write(text)
    _write_seal(system, target, "index.json", hashlib.sha256(text).hexdigest())
    for old in system.glob(f"{target}/spark-*"):
        if Path(old).name != name:
            system.rm(old, recursive=True)


def _write_seal(system: Any, folder: str, name: str, sha256: str) -> None:
    if (seal := make_seal(name, sha256)) is not None:
        with system.open(f"{folder}/{name}.seal", "wb") as file:
            file.write(seal)
