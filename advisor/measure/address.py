"""A store at an address: open it, make it readable for an engine, and publish measurements beside it.

An address is a URL that fsspec can read (``s3://…``). A cluster reads the facts at that address, so Spark
must support it too. DuckDB here loads no extensions and a local Spark has no Hadoop connectors, so both
read a local copy.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure.cache import FOLDER
from advisor.measure.seals import make_seal


def is_address(store: str) -> bool:
    """Return whether a store is named by an address, not by a folder."""
    return "://" in store


def _import_fsspec(address: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise InputError(
            f"{address} is an address, and addresses need the package fsspec; run: pip install fsspec, and "
            "the package of your storage, for example s3fs"
        ) from None
    return fsspec


def open_address(address: str) -> Store:
    """Open a store at an address; the store's path is the address without the protocol.

    Raises:
        SnapshotMissing: there is no store.
        FactsError: its manifest cannot be read.
        InputError: a package is missing.
    """
    if not is_address(address):
        return reading.open_store(Path(address))
    fsspec = _import_fsspec(address)
    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        try:
            with fsspec.open(f"{address.rstrip('/')}/manifest.json", "rb") as file:
                (Path(folder) / "manifest.json").write_bytes(file.read())
        except FileNotFoundError:
            raise SnapshotMissing(f"no snapshot at {address}: there is no manifest.json") from None
        except ImportError as error:
            raise InputError(f"{address} cannot be read: {error}") from None
        except (OSError, ValueError) as error:
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
        with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
            copy = _copy_facts(store, address, Path(folder))
            yield copy, copy.path.as_uri()


def _copy_facts(store: Store, address: str, folder: Path) -> Store:
    system, path = _import_fsspec(address).core.url_to_fs(address)
    copy = Store(folder, store.manifest)
    files = sorted({entry.get("in", f) for f, entry in store.manifest["files"].items()})
    system.get([f"{path.rstrip('/')}/{f}" for f in files], [str(copy.path / f) for f in files])
    return copy


@contextmanager
def local_copy(store: Store, address: str) -> Iterator[Store]:
    """Yield a temporary copy of a store; then its measurements replace those at the address, the index last.

    The copy has the measurements of earlier runs, so that only what changed is measured.

    Raises:
        FactsError: a file cannot be read or written.
    """
    system, path = _import_fsspec(address).core.url_to_fs(address)
    target = f"{path.rstrip('/')}/{FOLDER}"
    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        try:
            copy = _copy_facts(store, address, Path(folder))
            measurements = copy.path / FOLDER
            measurements.mkdir()
            earlier_files = system.find(target, maxdepth=1) if system.exists(target) else []
            for file in earlier_files:
                system.get_file(file, str(measurements / Path(file).name))
            yield copy
            names = {file.name for file in measurements.iterdir()}
            for name in sorted(names, key=lambda name: name.startswith("index.json")):
                system.put_file(str(measurements / name), f"{target}/{name}")
            for file in earlier_files:
                if Path(file).name not in names:
                    system.rm_file(file)
        except OSError as error:
            raise FactsError(f"{address} cannot be read or written: {error}") from None


def publish_measurements(place: str, address: str, name: str, index: Callable[[Sequence[str]], str]) -> None:
    """Copy the measurements beside the facts, write their index, and delete older measurements.

    Args:
        place: the address where Spark wrote the measurements (from `reachable_store`).
        address: the address of the facts.
        name: folder of the measurements.
        index: function that returns the text of the index for a list of files.
    """
    fsspec = _import_fsspec(address)
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
