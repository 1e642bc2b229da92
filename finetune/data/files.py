"""Read the records of a file of a user or of a hub data set, each with its place."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from advisor.files import expand_home
from finetune.errors import DataError

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# The first bytes of a file, and its encoding; the longer ones first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",;\t"


def read_records(source: str) -> Iterator[tuple[int, Any]]:
    """Yield place and record, or place and the reason (a string) of a read error.

    Raises:
        DataError: the source does not exist, or cannot be read.
    """
    path = expand_home(source)
    if path.is_file():
        readers = {
            ".jsonl": _read_jsonl,
            ".ndjson": _read_jsonl,
            ".jsonl.gz": _read_jsonl_gz,
            ".json": _read_json,
            ".csv": _read_csv,
            ".tsv": _read_csv,
            ".parquet": _read_parquet,
            ".arrow": _read_arrow,
        }
        kind = "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()
        if kind not in readers:
            raise DataError(f"{source} has an unknown file type; known types: {', '.join(readers)}")
        try:
            yield from readers[kind](path)
        except OSError as error:
            raise DataError(f"cannot read {source}: {error.strerror or error}") from None
    elif (path / "state.json").is_file():
        raise DataError(
            f"{source} is a folder of datasets.save_to_disk; write it as one file: "
            "datasets.load_from_disk(FOLDER).to_parquet('rows.parquet')"
        )
    elif path.exists():
        raise DataError(f"{source} is a folder; choose one of its files")
    elif _HUB_ID.fullmatch(source) and not path.suffix:
        yield from _read_hub(source)
    else:
        raise DataError(f"data file {source} does not exist")


def _read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    encoding = _find_encoding(path)
    if encoding == "utf-8-sig":
        with path.open("rb") as lines:
            yield from _parse_lines(lines)
        return
    try:
        with path.open(encoding=encoding) as text:
            yield from _parse_lines(line.encode() for line in text)
    except UnicodeError as error:
        raise DataError(f"{path} is not valid {encoding.upper()}: {error}") from None


def _find_encoding(path: Path) -> str:
    """Return the encoding that the first bytes of a text file say; UTF-8 if they say nothing."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((name for mark, name in _BYTE_ORDER_MARKS if start.startswith(mark)), "utf-8-sig")


def _read_jsonl_gz(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with gzip.open(path) as lines:
            yield from _parse_lines(lines)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not valid gzip: {error}") from None


def _parse_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield place, _refuse_surrogates(_parse(line), line)
        except json.JSONDecodeError as error:
            yield place, f"is not valid JSON: {error.msg} at column {error.colno}"
        except UnicodeDecodeError:
            yield place, "is not UTF-8"
        except RepeatedName as error:
            yield place, str(error)
        except (ValueError, RecursionError) as error:
            yield place, f"is not valid JSON: {error}"


class RepeatedName(ValueError):
    """An object has a name twice; a JSON parser would drop the first value in silence."""


def _parse(text: bytes) -> Any:
    return json.loads(text, object_pairs_hook=_join_pairs)


def _join_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    names = [name for name, _ in pairs]
    name = next(name for name in names if names.count(name) > 1)
    raise RepeatedName(f"has the field {name!r} twice; delete one of them")


def _read_json(path: Path) -> Iterator[tuple[int, Any]]:
    content = path.read_bytes()
    try:
        records = _parse(content)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise DataError(f"{path} is not valid JSON: {error}") from None
        yield from _read_jsonl(path)  # a frequent name for JSON lines
        return
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {error}") from None
    if isinstance(records, dict) and list(records) == ["data"]:
        records = records["data"]
    if not isinstance(records, list):
        raise DataError(f'{path} is not a list of rows; expected a JSON array, or {{"data": [...]}} alone')
    for place, record in enumerate(records, 1):
        yield place, _refuse_surrogates(record, content)


def _refuse_surrogates(record: Any, source: bytes) -> Any:
    """Return the record, or the reason why it is not text: JSON can contain half of a surrogate pair."""
    if _SURROGATE.search(source) is None:
        return record
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        return f"contains {half}, a half of a surrogate pair, which is not a character; delete or replace it"
    return record


def _read_csv(path: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(sys.maxsize)  # the default refuses texts of more than 128 KiB
    with path.open(newline="", encoding=_find_encoding(path)) as lines:
        try:
            header = lines.readline()
            lines.seek(0)
            reader = csv.DictReader(lines, delimiter=max(_DELIMITERS, key=header.count), strict=True)
            names = reader.fieldnames or ()
        except (csv.Error, UnicodeError) as error:
            raise DataError(f"cannot read the header of {path}: {error}; save the file as UTF-8") from None
        if len(set(names)) < len(names):
            name = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{path} has the column {name!r} twice; delete one of them")
        try:
            for record in reader:
                if None in record or None in record.values():
                    yield reader.line_num, "has more or fewer cells than the header"
                else:
                    yield reader.line_num, record
        except (csv.Error, UnicodeError) as error:
            raise DataError(f"cannot read {path} after line {reader.line_num}: {error}") from None


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            place = 0
            for batch in file.iter_batches():
                for record in batch.to_pylist():
                    place += 1
                    yield place, _drop_nulls(record)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not valid Parquet: {error}") from None


def _read_arrow(path: Path) -> Iterator[tuple[int, Any]]:
    """Read a file of Arrow: a stream, as datasets writes it, or one with an index, as Feather is."""
    import pyarrow as pa

    try:
        with closing(pa.memory_map(str(path))) as file:
            is_indexed = file.read(6) == b"ARROW1"
            file.seek(0)
            reader = pa.ipc.open_file(file) if is_indexed else pa.ipc.open_stream(file)
            count = reader.num_record_batches if is_indexed else None
            batches = (reader.get_batch(n) for n in range(count)) if count is not None else iter(reader)
            records = (record for batch in batches for record in batch.to_pylist())
            for place, record in enumerate(records, 1):
                yield place, _drop_nulls(record)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not valid Arrow: {error}") from None


def _read_hub(name: str) -> Iterator[tuple[int, Any]]:
    from datasets import load_dataset

    try:
        rows = load_dataset(name, split="train")
    except Exception as error:  # noqa: BLE001 - the hub's client raises any error of its transport
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"{name} is not a local file, and the hub does not provide it as a data set: {first_line}"
        ) from None
    yield from ((place, _drop_nulls(record)) for place, record in enumerate(rows, 1))


def _drop_nulls(value: Any) -> Any:
    """Return a value of an Arrow table without the nulls of objects.

    Arrow gives all objects of a column the same fields, and null to those that a row does not have.
    """
    if isinstance(value, Mapping):
        return {key: _drop_nulls(part) for key, part in value.items() if part is not None}
    return [_drop_nulls(part) for part in value] if isinstance(value, list) else value
