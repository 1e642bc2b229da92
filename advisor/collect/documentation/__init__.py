"""Count what a library documents, from its source tree at the end of each 91 days. Nothing is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from advisor.collect.coverage import extractor
from advisor.collect.documentation import api, examples, pages
from advisor.collect.git.blobs import BlobReader
from advisor.collect.git.clone import fetch_blobs, open_history
from advisor.collect.git.command import run_git
from advisor.collect.git.quarters import EVERY_SECONDS
from advisor.collect.git.readings import Readings, open_readings
from advisor.collect.git.trees import FileChange, list_file_changes
from advisor.facts import writing

_FILES = "in the source tree; advisor collect-docs"
DEFINITIONS = {
    "api_symbols": f"public functions, classes and methods of the Python packages {_FILES}",
    "api_docstrings": f"those of api_symbols that have a docstring {_FILES}",
    "documentation_words": f"words outside of code in pages of documentation {_FILES}",
    "api_mentions": f"pairs of a page and a public name that it mentions {_FILES}",
    "fresh_api_mentions": f"those of api_mentions whose page changed since the name's arguments did {_FILES}",
    "code_examples": f"example files that import the library, or do not parse {_FILES}",
    "working_code_examples": f"those of code_examples that parse and import names that exist {_FILES}",
    "getting_started_pages": f"pages that help to get started {_FILES}",
}
_MAX_FETCH_BYTES = 2**31


class _Quarter(NamedTuple):
    day: date
    commit: str


class _Library:
    """The files of one commit, moved on from quarter to quarter; each content is read once."""

    def __init__(self) -> None:
        self.modules: dict[str, api.Module] = {}  # path → module
        self.pages: dict[str, tuple[pages.Page, int]] = {}  # path → page, quarter of its last change
        self.examples: dict[str, frozenset[tuple[str, str]] | None] = {}
        self._signatures: dict[str, tuple[str, int]] = {}  # public name → arguments, quarter of their change

    def update(self, path: str, reading: Mapping[str, Any], quarter: int) -> None:
        """Take in a file that is new or different, or forget one that is gone (empty reading)."""
        for files in (self.modules, self.pages, self.examples):
            files.pop(path, None)
        if "module" in reading:
            names, is_open, symbols = reading["module"]
            self.modules[path] = api.Module(frozenset(names), is_open, tuple(api.Symbol(*s) for s in symbols))
        if "page" in reading:
            words, names, is_start = reading["page"]
            self.pages[path] = (pages.Page(words, frozenset(names), is_start), quarter)
        if "imports" in reading:
            imports = reading["imports"]
            self.examples[path] = None if imports is None else frozenset(map(tuple, imports))

    def count(self, quarter: int) -> dict[str, int]:
        """Return the figures of the tree."""
        packages = api.find_packages(self.modules)
        names = {path: api.find_module_name(path, packages) for path in self.modules}
        by_name = {name: self.modules[path] for path, name in names.items() if name is not None}
        symbols = [(n, s) for n, module in by_name.items() if api.is_public(n) for s in module.symbols]
        self._follow_signatures(symbols, quarter)
        roots = frozenset(package.rpartition("/")[2] for package in packages)
        own_examples = [
            imports for imports in self.examples.values() if imports is None or examples.uses(imports, roots)
        ]
        mentions = list(self._list_mentions())
        return {
            "api_symbols": len(symbols),
            "api_docstrings": sum(symbol.has_docstring for _, symbol in symbols),
            "documentation_words": sum(page.words for page, _ in self.pages.values()),
            "api_mentions": len(mentions),
            "fresh_api_mentions": sum(mentions),
            "code_examples": len(own_examples),
            "working_code_examples": sum(
                imports is not None and examples.works(imports, roots, by_name) for imports in own_examples
            ),
            "getting_started_pages": sum(page.is_start for page, _ in self.pages.values()),
        }

    def _follow_signatures(self, symbols: list[tuple[str, api.Symbol]], quarter: int) -> None:
        texts: dict[str, set[str]] = {}
        for _, symbol in symbols:
            name = symbol.name.rpartition(".")[2]
            if pages.can_be_mentioned(name):
                texts.setdefault(name, set()).add(symbol.signature)
        new = {name: " | ".join(sorted(signatures)) for name, signatures in texts.items()}
        old = self._signatures
        self._signatures = {
            name: old[name] if name in old and old[name][0] == text else (text, quarter)
            for name, text in new.items()
        }

    def _list_mentions(self) -> Iterator[bool]:
        """Yield for each page and public name in it whether the page changed since the name did."""
        for page, quarter in self.pages.values():
            for name in page.names & self._signatures.keys():
                yield quarter >= self._signatures[name][1]


def collect_documentation(
    where: str,
    store: Path,
    cache: Path,
    *,
    retrieved_on: date,
    repository: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Count what a library documents over its history, and replace the store's rows of it.

    Args:
        where: ``owner/name`` on GitHub, a URL, or the path of a local clone.
        store: folder of fact tables.
        cache: folder for clones of remote histories.
        retrieved_on: day of the retrieval; later commits do not count.
        repository: ``owner/name``, for a local clone without a remote.
        progress: receives progress lines for a person.

    Returns:
        ``owner/name``.

    Raises:
        InputError: ``where`` is not a repository, URL or path.
        RepositoryNotFound: the repository does not exist.
        GitFailed: git failed; nothing was written.
    """
    code = [*Path(__file__).parent.glob("*.py"), Path(extractor.__file__)]
    with (
        open_history(where, cache, repository, progress) as (folder, name),
        open_readings(cache, name, "documentation", code) as readings,
    ):
        quarters = _list_quarters(folder, retrieved_on)
        progress(f"{name}: reading the documentation at the end of {len(quarters)} quarters")
        rows = list(_count_quarters(folder, quarters, readings))
    head = quarters[-1].commit if quarters else ""
    common = {
        "repository": name,
        "source": f"git:{name}@{head[:12]} (documentation)",
        "retrieved_at": retrieved_on,
    }
    writing.write_rows(
        store, "counts", name, ({**row, **common} for row in rows), part="documentation", head=head
    )
    return name


def _list_quarters(folder: Path, until: date) -> list[_Quarter]:
    """Return the last commit of each 91 days on the default branch, oldest first, and the last one of all."""
    log = run_git(folder, "log", "HEAD", "--first-parent", "--reverse", "--format=%H %ct").split("\n")
    by_quarter: dict[int, _Quarter] = {}
    latest = 0
    for line in filter(None, log):
        commit, _, text = line.partition(" ")
        latest = max(latest, int(text))  # a clock that went back makes no earlier quarter
        day = datetime.fromtimestamp(latest, UTC).date()
        if day <= until:
            by_quarter[latest // EVERY_SECONDS] = _Quarter(day, commit)
    return list(by_quarter.values())


def _count_quarters(folder: Path, quarters: list[_Quarter], readings: Readings) -> Iterator[dict[str, Any]]:
    old, all_changes = None, []
    for quarter in quarters:
        all_changes.append(
            [c for c in list_file_changes(folder, old, quarter.commit) if _is_relevant(c.path)]
        )
        old = quarter.commit
    contents = readings.list_new((c.path, c.blob) for changes in all_changes for c in changes if c.blob)
    fetch_blobs(folder, contents, max_bytes=_MAX_FETCH_BYTES)
    library = _Library()
    with BlobReader(folder, contents) as blobs:
        for number, (quarter, changes) in enumerate(zip(quarters, all_changes, strict=True)):
            for change in changes:
                library.update(change.path, _read_file(change, blobs, readings), number)
            for metric, value in library.count(number).items():
                yield {
                    "day": quarter.day,
                    "metric": metric,
                    "value": value,
                    "definition": DEFINITIONS[metric],
                }


def _read_file(change: FileChange, blobs: BlobReader, readings: Readings) -> dict[str, Any]:
    """Return what a file says, as JSON; empty: it is gone, or the history does not have it."""
    path, blob = change

    def read() -> dict[str, Any]:
        if not blobs.has(blob or ""):
            return {}
        text, reading = blobs.read_text(blob or ""), dict[str, Any]()
        if api.is_source(path):
            names, is_open, symbols = api.read_module(text)
            reading["module"] = [sorted(names), is_open, symbols]
        if pages.is_page(path):
            words, names, is_start = pages.read_page(path, text)
            reading["page"] = [words, sorted(names), is_start]
        if examples.is_example(path):
            imports = examples.read_imports(path, text)
            reading["imports"] = None if imports is None else sorted(imports)
        return reading

    return {} if blob is None else readings.read(path, blob, read)


def _is_relevant(path: str) -> bool:
    return api.is_source(path) or pages.is_page(path) or examples.is_example(path)
