"""A store of made-up histories, as many repositories as asked for: python benchmarks/generate.py STORE 10000

Sizes, ages and their rank correlations are those of the panel (`panel_sizes.json`, with its source): a
Gaussian copula draws eleven figures a repository, and each figure becomes rows: commits, issues and change
requests that stay open for minutes or years, tags, monthly totals. The commits are spread over people and days
as in one of the bundled histories (`structure.py`). What is in neither is assumed and stands as a number in the queries. Nothing is drawn
but from hashes of (repository, place): the same number of repositories gives the same rows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from structure import draw_people, read_structures

from advisor.domain.organisations import load_organisations
from advisor.facts import compaction
from advisor.facts.manifest import write_manifest
from advisor.facts.tables import columns

AS_OF = date(2025, 6, 30)
REPOSITORIES_A_PARTITION = 320
SEED = 20250630

# A number from 0 to 1 from the repository and its place: $1 of the macro tells draws apart.
SETUP = """
CREATE MACRO u(salt, id, i) AS (hash(salt, id, i) >> 11) / 9007199254740992.0;
CREATE MACRO share(x, low, high) AS least(1, greatest(0, (x - low) / (high - low)));
"""

# Every active day of a person has a commit, and the other commits fall on any of them. The days are spread over the
# person's time in the repository.
CONTRIBUTIONS = """
WITH each AS (
    SELECT people.*, unnest(range(author_commits)) AS i FROM people
),
dated AS (
    SELECT *, CASE WHEN i < active_days THEN i ELSE floor(active_days * pow(u(1, id, author * 1000003 + i), 4))::BIGINT END AS place
    FROM each
),
drawn AS (
    SELECT d.*, repository, domain,
           born + floor(span * pow(first + tenure * (place + u(2, id, author * 1000003 + place)) / active_days, pace))::INTEGER AS day
    FROM dated AS d JOIN those USING (id)
)
SELECT repository, day, author::INTEGER AS author,
       CASE WHEN organisation_number >= 0 AND u(3, id, hash(author, day)) < affiliated_days THEN
            CASE organisation_number WHEN 0 THEN domain ELSE 'org' || hash(id, organisation_number) % 200 || '.example' END
       END AS organisation,
       is_bot, count(*)::INTEGER AS commits, 'git:' || repository AS source
FROM drawn GROUP BY ALL
"""

THREADS = """
WITH each AS (
    SELECT *, 'issue' AS kind, closed_issues / greatest(1, closed_issues + open_issues) AS ends,
           unnest(range((closed_issues + open_issues)::BIGINT)) AS i FROM those
    UNION ALL
    SELECT *, 'change_request' AS kind, 0.93 AS ends, unnest(range(change_requests)) AS i FROM those
),
drawn AS (
    SELECT repository, id, kind, i, ends, change_requests,
           born::TIMESTAMP + to_microseconds((86400000000 * (span * pow(u(10, id, i), pace)))::BIGINT) AS opened_at,
           -- from minutes to years; half within two days or so
           exp(0.7 + 2.6 * sqrt(-2 * ln(u(11, id, i) + 1e-12)) * cos(6.2831853 * u(12, id, i))) AS lasts,
           exp(-1.2 + 2.2 * sqrt(-2 * ln(u(13, id, i) + 1e-12)) * cos(6.2831853 * u(14, id, i))) AS waits
    FROM each
),
timed AS (
    SELECT *, opened_at + to_microseconds((86400000000 * least(lasts, 4000))::BIGINT) AS ended,
           opened_at + to_microseconds((86400000000 * least(waits, 4000))::BIGINT) AS answered
    FROM drawn
),
known AS (
    SELECT repository, kind, (i * 2 + CASE kind WHEN 'issue' THEN 0 ELSE 1 END)::INTEGER AS number, opened_at,
           CASE WHEN ended < $end AND u(15, id, i) < ends THEN ended END AS closed_at,
           CASE WHEN kind = 'change_request' AND ended < $end AND u(15, id, i) < ends AND u(16, id, i) < 0.8 THEN ended END AS merged_at,
           CASE WHEN answered < $end AND u(17, id, i) < 0.8 THEN answered END AS first_response_at,
           u(18, id, i) < 0.05 AS is_bot, u(19, id, i) < 0.9 AS responses_seen, id
    FROM timed WHERE opened_at < $end
)
SELECT * EXCLUDE (id), 'github' AS source FROM known
UNION ALL BY NAME
-- One repository in five was read from git too, where only a merge shows.
SELECT repository, kind, number, opened_at, merged_at AS closed_at, merged_at, is_bot,
       'git:' || repository AS source
FROM known WHERE merged_at IS NOT NULL AND id % 5 = 0
"""

COUNTS = """
WITH months AS (
    SELECT *, unnest(range((age_days / 30)::BIGINT)) AS i FROM those
),
dated AS (SELECT *, ($last - (30 * i)::INTEGER) AS day, pow(1 - i / (age_days / 30 + 1), 1.5) AS grown FROM months),
weeks AS (SELECT *, unnest(range((age_days / 7)::BIGINT)) AS i FROM those),
each AS (
    SELECT repository, id, ($last - (7 * i)::INTEGER) AS day, 'stars' AS metric,
           stars * pow(1 - i / (age_days / 7 + 1), 1.5) AS value FROM weeks
    UNION ALL SELECT repository, id, day, 'forks', forks * grown FROM dated
    UNION ALL SELECT repository, id, day, 'open_issues', open_issues * grown FROM dated
    UNION ALL SELECT repository, id, day, 'closed_issues', closed_issues * grown FROM dated
    UNION ALL SELECT repository, id, day, 'downloads_30d', downloads_30d * grown FROM dated WHERE downloads_30d > 0
    UNION ALL SELECT repository, id, day, 'truck_factor', 1 + ln(1 + people) * grown FROM dated WHERE i % 3 = 0
)
SELECT repository, day, metric, round(value * (0.97 + 0.06 * u(20, id, day - DATE '2000-01-01'))) AS value,
       'made up' AS definition, 'panel' AS source FROM each
"""

RELEASES = """
WITH each AS (SELECT *, unnest(range(releases)) AS i FROM those)
SELECT repository, 'v' || i AS tag, born + (span * pow(u(30, id, i), pace))::INTEGER AS released_on,
       u(31, id, i) < 0.15 AS is_prerelease, 'git:' || repository AS source FROM each
"""

REPOSITORIES = """
SELECT repository, born AS observed_on, CASE WHEN idle_days > 1500 THEN 'unmaintained' ELSE 'active' END AS declared_status,
       CASE WHEN idle_days > 1500 THEN 'its readme says so' ELSE '' END AS evidence, 'git:' || repository AS source
FROM those
"""

# One library in fifty follows model families; half of the families are supported within some weeks.
MODEL_SUPPORT = """
WITH each AS (SELECT *, unnest(range(40)) AS i FROM those WHERE id % 50 = 0),
drawn AS (
    SELECT *, ($last - (20 + 30 * i)::INTEGER) AS family_released_on, (80 * pow(u(40, id, i), 2))::INTEGER AS waits FROM each
)
SELECT repository, 'family' || i AS family, CASE WHEN i % 5 = 0 THEN coalesce(vendor, 'vendor0') ELSE 'vendor' || (i % 9) END AS vendor,
       family_released_on, 'main' AS route,
       CASE WHEN u(41, id, i) < 0.6 AND family_released_on + waits <= $last THEN family_released_on + waits END AS supported_on,
       $last AS known_until, 'git:' || repository AS source
FROM drawn
"""

QUERIES = {
    "contributions": CONTRIBUTIONS,
    "threads": THREADS,
    "counts": COUNTS,
    "releases": RELEASES,
    "repositories": REPOSITORIES,
    "model_support": MODEL_SUPPORT,
}


def draw(repositories: int) -> pd.DataFrame:
    """Figures of each repository.

    Returns:
        Columns ``id``, ``repository``, ``born``, ``span`` (days from the first to the last commit),
        ``pace``, ``people``, ``domain``, ``vendor`` and the panel's figures.
    """
    panel = json.loads((Path(__file__).parent / "panel_sizes.json").read_text())
    names = list(panel["percentiles"])
    correlation = np.array([[panel["rank_correlation"][a][b] for b in names] for a in names])
    correlation = 2 * np.sin(np.pi * correlation / 6)  # of ranks → of the normals beneath (Pearson 1907)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0))
    rng = np.random.default_rng(SEED)
    normal = rng.standard_normal((repositories, len(names))) @ root.T
    normal /= np.sqrt(np.maximum(values, 0) @ (vectors**2).T)
    places = np.vectorize(_share_below)(normal)
    frame = pd.DataFrame({"id": range(repositories)})
    for column, name in enumerate(names):
        ladder = np.log1p(panel["percentiles"][name])
        figure = np.expm1(np.interp(100 * places[:, column], range(101), ladder))
        unknown = rng.random(repositories) < panel["missing"][name]
        frame[name] = np.where(
            unknown & (name not in {"age_days", "commits", "idle_days"}), 0, np.round(figure)
        )
    owners = [
        (o, organisation) for organisation in load_organisations().values() for o in organisation.github
    ]
    backers = [owners[i % len(owners)] if i % 25 == 0 else (f"owner{i % 7919}", None) for i in frame.id]
    frame["repository"] = [f"{owner}/library{i:06d}" for i, (owner, _) in zip(frame.id, backers, strict=True)]
    domains = [o.domains[0] if o and o.domains else "gmail.example" for _, o in backers]
    frame["domain"], frame["vendor"] = domains, [o.vendor if o else None for _, o in backers]
    frame["age_days"] = frame.age_days.clip(lower=60)
    frame["born"] = [AS_OF - pd.Timedelta(days=int(days)) for days in frame.age_days]
    frame["span"] = (frame.age_days - frame.idle_days).clip(lower=1)
    frame["people"] = frame.contributors.clip(lower=1)
    frame["pace"] = np.exp(rng.normal(-0.2, 0.35, repositories))
    whole = ["commits", "change_requests", "releases"]
    return frame.astype(dict.fromkeys(whole, "int64")).astype({"born": "datetime64[us]"})


def _share_below(x: float) -> float:
    from math import erf, sqrt

    return 0.5 * (1 + erf(x / sqrt(2)))


def generate(path: Path, repositories: int, small_files: bool = False) -> int:
    """Fill a new store; return its number of rows.

    Args:
        path: the store; what lies there is removed.
        repositories: how many.
        small_files: one file a table and repository, as `advisor collect` leaves them.
    """
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    sample = draw(repositories).sort_values("repository", ignore_index=True)
    structures = read_structures()
    files: dict = {}
    partitions: dict = {}
    at_once = 1 if small_files else REPOSITORIES_A_PARTITION
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute(SETUP)
        for start in range(0, repositories, at_once):
            those = sample.iloc[start : start + at_once]
            people = pd.concat(
                draw_people(structures[row.id % len(structures)], row.id, int(row.people), int(row.commits))
                for row in those.itertuples()
            )
            db.register("frame", those)
            db.register("people", people)
            db.execute(
                "CREATE OR REPLACE TEMP TABLE those AS SELECT * REPLACE (born::DATE AS born) FROM frame"
            )
            for table, query in QUERIES.items():
                rows = query.replace("$end", f"TIMESTAMP '{AS_OF + timedelta(days=1)}'")
                rows = rows.replace("$last", f"DATE '{AS_OF}'")
                nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns(table).items())
                whole = (
                    f"SELECT {nothing}, '' AS part WHERE false UNION ALL BY NAME"
                    f" SELECT *, DATE '{AS_OF}' AS retrieved_at, '' AS part FROM ({rows})"
                )
                for name, about in compaction.write_partition(db, path, table, whole).items():
                    contents = about.pop("holds")
                    if small_files:
                        (one,) = contents
                        (path / name).rename(path / one)
                        files[one] = {**contents[one], "sha256": about["sha256"]}
                    else:
                        partitions[name] = about
                        files |= {file: {**entry, "in": name} for file, entry in contents.items()}
    manifest = {
        "files": dict(sorted(files.items())),
        "partitions": partitions,
        "pinned_as_of": AS_OF.isoformat(),
    }
    write_manifest(path, manifest)
    return compaction.count_rows(manifest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("repositories", type=int)
    parser.add_argument("--small-files", action="store_true")
    options = parser.parse_args()
    began = time.process_time()
    rows = generate(options.store, options.repositories, options.small_files)
    size = sum(f.stat().st_size for f in options.store.rglob("*.parquet"))
    print(
        f"{rows:,} rows of {options.repositories:,} repositories, {size / 1e6:.0f} MB, {time.process_time() - began:.0f} CPU s"
    )
