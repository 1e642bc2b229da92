"""Make a store of many candidates: the bundled facts under invented names, with their real sizes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from advisor.answers.history import read_timeline
from advisor.answers.question import Request, read_request
from advisor.domain.files import data_folder
from advisor.facts import reading


def fill_with_many(folder: Path, candidates: int, without: tuple[str, ...] = ()) -> Path:
    """Write a store ``folder/facts`` and a domain file for it; return the path of the domain file.

    Args:
        folder: where.
        candidates: how many.
        without: fact tables to leave out.
    """
    import duckdb

    snapshot = reading.open_store(data_folder() / "snapshots" / "finetuning")
    old_names = snapshot.repositories()
    pairs = [(old_names[n % len(old_names)], f"org{n:02}/library-{n:02}") for n in range(candidates)]
    store, files = folder / "facts", {}
    with duckdb.connect() as db:
        for file, entry in snapshot.manifest["files"].items():
            table, _, name = file.partition("/")
            if table in without:
                continue
            for old, new in pairs:
                if not name.startswith(old.replace("/", "__", 1) + "."):
                    continue
                target = store / table / f"{new.replace('/', '__')}.parquet"
                target.parent.mkdir(parents=True, exist_ok=True)
                db.execute(
                    f"COPY (SELECT * REPLACE ('{new}' AS repository) FROM read_parquet('{snapshot.path / file}')) "
                    f"TO '{target}' (FORMAT parquet)"
                )
                digest = hashlib.sha256(target.read_bytes()).hexdigest()
                files[f"{table}/{target.name}"] = {**entry, "sha256": digest}
    (store / "manifest.json").write_text(json.dumps({**snapshot.manifest, "files": files}))
    domain = (data_folder() / "domains" / "finetuning.toml").read_text()
    head, tail = domain.partition("[[candidates]]")[0], domain[domain.index("[goals.") :]
    head = head.replace('default = "huggingface/trl"', f'default = "{pairs[0][1]}"')
    entries = "".join(f'[[candidates]]\nrepository = "{new}"\n\n' for _, new in pairs)
    path = folder / "many.toml"
    path.write_text(head + entries + tail)
    return path


def read_many_timeline(question, months: int):
    """Return the timeline of a store of `fill_with_many`, for a page of a real size in seconds.

    The last day and the facts of the charts are read from the store. The past days are those that are kept for
    the bundled libraries, under the new names. They differ from measured ones where a domain file knows a backer
    and where random numbers depend on the name: use `read_timeline` to test the values of past days.
    """
    last = read_timeline(question, 0)
    bundled = read_timeline(read_request(Request(domain="finetuning-wide")), months)
    old_names = reading.open_store(data_folder() / "snapshots" / "finetuning").repositories()
    candidates = {}
    for place, candidate in enumerate(question.candidates):
        past = bundled.candidates[old_names[place % len(old_names)]][:-1]
        candidates[candidate.repository] = (
            *(scored and _rename(scored, candidate) for scored in past),
            *last.candidates[candidate.repository],
        )
    return replace(last, days=bundled.days, candidates=candidates)


def _rename(scored, candidate):
    measurements = tuple(replace(m, repository=candidate.repository) for m in scored.measurements)
    return replace(scored, candidate=candidate, measurements=measurements)
