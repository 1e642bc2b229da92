"""A store at an address: how it is opened, where Spark reads it, and how measurements come to lie beside it.

An address is what fsspec knows (``s3://…``). A cluster reads the facts where they lie, for which Spark must
know the address too; a local Spark, which comes without Hadoop's connectors, is handed a copy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from advisor.errors import FactsError, SnapshotMissing
from advisor.facts import reading
from advisor.facts.store import Store
from advisor.measure.cache import FOLDER


def open_address(address: str) -> Store:
    """Open a store at an address; its path is what stands in the address after the protocol.

    Raises:
        SnapshotMissing: there is none.
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
def in_reach(store: Store, address: str, master: str) -> Iterator[tuple[Store, str]]:
    """The store and the address at which Spark reads it."""
    if "://" not in address:
        yield store, Path(address).resolve().as_uri()
    elif address.startswith("file://") or not master.startswith("local"):
        yield store, address.rstrip("/")
    else:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
        with tempfile.TemporaryDirectory(prefix="advisor-") as folder:
            here = Store(Path(folder), store.manifest)
            files = sorted({entry.get("in", f) for f, entry in store.manifest["files"].items()})
            system.get([f"{path.rstrip('/')}/{f}" for f in files], [str(here.path / f) for f in files])
            yield here, here.path.as_uri()


def publish(place: str, address: str, name: str, index: Callable[[Sequence[str]], str]) -> None:
    """Bring what was measured to where the facts are, then the index that names it; what came before goes.

    Args:
        place: where Spark wrote it, as `in_reach` said.
        address: where the facts are.
        name: folder of the measurements.
        index: text of the index of these files.
    """
    import fsspec

    system, made = fsspec.core.url_to_fs(f"{place}/{FOLDER}/{name}")
    files = sorted(Path(f).name for f in system.glob(f"{made}/*.parquet"))
    system, target = fsspec.core.url_to_fs(f"{address.rstrip('/')}/{FOLDER}")
    if f"{target}/{name}" != made:
        for file in files:
            system.makedirs(f"{target}/{name}", exist_ok=True)
            system.put_file(f"{made}/{file}", f"{target}/{name}/{file}")
    with system.open(f"{target}/index.json", "wt") as file:
        file.write(index([f"{name}/{f}" for f in files]))
    for old in system.glob(f"{target}/spark-*"):
        if Path(old).name != name:
            system.rm(old, recursive=True)
