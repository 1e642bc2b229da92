"""Make a store of many candidates: the bundled facts under invented names, with their real sizes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from advisor.domain.files import data_folder
from advisor.facts import reading


def fill_with_many(folder: Path, candidates: int) -> Path:
    """Write a store ``folder/facts`` and a domain file for it; return the path of the domain file."""
    import duckdb

    snapshot = reading.open_store(data_folder() / "snapshots" / "finetuning")
    old_names = snapshot.repositories()
    pairs = [(old_names[n % len(old_names)], f"org{n:02}/library-{n:02}") for n in range(candidates)]
    store, files = folder / "facts", {}
    with duckdb.connect() as db:
        for file, entry in snapshot.manifest["files"].items():
            table, _, name = file.partition("/")
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
