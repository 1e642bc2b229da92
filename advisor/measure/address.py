"""A store at an address: open it, copy what an engine reads, and publish measurements beside it.

An address is a URL that fsspec can read (``s3://…``). DuckDB here loads no extensions, so it reads a local
copy: of the whole store on one machine, of a range of repositories on an executor of Spark.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from advisor.errors import FactsError, InputError, SnapshotMissing
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure.cache import FOLDER


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


def _copy_facts(system: Any, path: str, store: Store, names: Sequence[str], folder: Path) -> Store:
    """Copy the facts of repositories; a file that is not there is missing in the copy too."""
    copy = Store(folder, store.manifest)
    for file in sorted({store.manifest["files"][f].get("in", f) for n in names for f in store.files[n]}):
        (copy.path / file).parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            system.get_file(f"{path}/{file}", str(copy.path / file))
    return copy


@contextmanager
def local_copy(store: Store, address: str, *, has_facts: bool = True) -> Iterator[Store]:
    """Yield a temporary copy of a store; then its measurements replace those at the address, the index last.

    The copy has the measurements of earlier runs, so that only what changed is measured.

    Args:
        store: the store at the address.
        address: the address.
        has_facts: whether the copy has the facts; without them, it has only the measurements.

    Raises:
        FactsError: a file cannot be read or written.
    """
    system, path = _find_system(address)
    target = f"{path}/{FOLDER}"
    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        try:
            copy = _copy_facts(system, path, store, list(store.files) if has_facts else [], Path(folder))
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


@contextmanager
def range_copy(store: Store, address: str, names: Sequence[str], files: Iterable[str]) -> Iterator[Store]:
    """Yield a temporary copy of the facts of some repositories, and of files of earlier measurements."""
    system, path = _find_system(address)
    with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
        copy = _copy_facts(system, path, store, names, Path(folder))
        (copy.path / FOLDER).mkdir()
        for file in files:
            system.get_file(f"{path}/{FOLDER}/{file}", str(copy.path / FOLDER / file))
        yield copy


def put_file(file: Path, address: str) -> None:
    """Copy a file of measurements to an address."""
    system, path = _find_system(address)
    system.makedirs(f"{path}/{FOLDER}", exist_ok=True)
    system.put_file(str(file), f"{path}/{FOLDER}/{file.name}")


def _find_system(address: str) -> tuple[Any, str]:
    system, path = _import_fsspec(address).core.url_to_fs(address)
    return system, path.rstrip("/")
