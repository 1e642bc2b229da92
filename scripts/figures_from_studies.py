"""Convert dated figures of public lists to counts.csv for `advisor import-counts`.

Usage: python scripts/figures_from_studies.py STUDIES OUT REPOSITORY…

STUDIES holds figures_long.csv, pypi_downloads_monthly.csv and derived_quarterly.csv. Daily series
are reduced to the last row of each month. A figure without a repository and a commit is left out, because nobody
could look it up.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

METRICS = {
    "stars": "stars",
    "forks": "forks",
    "open_issues": "open_issues",
    "closed_issues": "closed_issues",
    "pypi_downloads_30d": "downloads_30d",
}
PACKAGES = {
    "trl": "huggingface/trl", "torchtune": "pytorch/torchtune", "litgpt": "Lightning-AI/litgpt",
    "axolotl": "axolotl-ai-cloud/axolotl", "unsloth": "unslothai/unsloth", "peft": "huggingface/peft",
    "ms-swift": "modelscope/ms-swift", "openrlhf": "OpenRLHF/OpenRLHF", "ludwig": "ludwig-ai/ludwig",
    "autotrain-advanced": "huggingface/autotrain-advanced", "xtuner": "InternLM/xtuner",
    "llamafactory": "hiyouga/LLaMA-Factory",
}  # fmt: skip
# Issues share their number counter with discussions: +3 % (trl), +5 % (unsloth), +9 % (ludwig) against
# the API's count of issues.
BIAS = (1.0, 1.05, 1.09)


def read_rows(path: Path) -> list[dict[str, str]]:
    """All rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_counts(studies: Path, repositories: set[str]) -> list[dict[str, object]]:
    """Totals, one for each repository, metric and month."""
    rows: dict[tuple[str, str, str], dict[str, object]] = {}

    def add_row(row: dict[str, object], rank: int) -> None:
        key = (str(row["repository"]), str(row["metric"]), str(row["date"])[:7])
        old = rows.get(key)
        if old is None or (old["rank"], str(row["date"])) <= (rank, str(row["date"])):
            rows[key] = {**row, "rank": rank}

    for r in read_rows(studies / "figures_long.csv"):
        metric = METRICS.get(r["metric"])
        if metric is None or r["repo"] not in repositories or not r["value"] or not r["commit"]:
            continue
        definition = r["definition"]
        if metric != "open_issues" and definition.startswith("issues only"):
            definition = "GraphQL count"
        if not r["kind"].endswith("snapshot"):
            definition = f"{r['kind']}: {definition}"
        add_row(
            {"date": r["date"], "repository": r["repo"], "metric": metric, "value": r["value"],
             "source": f"{r['source']}@{r['commit'][:12]} {r['path']}".strip(), "definition": definition},
            1 if r["kind"].endswith("snapshot") else 0,
        )  # fmt: skip
    for r in read_rows(studies / "pypi_downloads_monthly.csv"):
        repository = PACKAGES.get(r["project"])
        if repository in repositories:
            add_row(
                {"date": r["last_update"][:10], "repository": repository, "metric": "downloads_30d",
                 "value": r["downloads_30d"], "source": f"hugovk/top-pypi-packages@{r['commit'][:12]} {r['path']}",
                 "definition": "downloads of 30 days, all installers, mirrors and machines included"},
                2,
            )  # fmt: skip
    open_issues = {(k[0], k[2]): v for k, v in rows.items() if k[1] == "open_issues"}
    with_closed = {k[0] for k in rows if k[1] == "closed_issues"}
    for r in read_rows(studies / "derived_quarterly.csv"):
        total = float(r["issues_plus_discussions_derived"] or 0)
        near = open_issues.get((r["repo"], r["quarter_end"][:7]))
        if near is None or r["repo"] in with_closed or not total:
            continue
        high, value, low = (round(total / b, 1) for b in BIAS)
        # The date of the open issues of its month, so that metrics compare the two.
        add_row(
            {"date": near["date"], "repository": r["repo"], "metric": "issues_total", "value": value,
             "low": low, "high": high, "source": f"history of {r['repo']} by {r['quarter_end']}: numbers of its issues and change requests",
             "definition": f"highest number minus change requests on {r['quarter_end']}; counts discussions "
             "too: 3 % to 9 % above the API where both are known"},
            1,
        )  # fmt: skip
    return sorted(rows.values(), key=lambda r: (r["repository"], r["metric"], r["date"]))


def write_csv(path: Path, columns: list[str], rows: list[dict[str, object]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Command line."""
    studies, out, *repositories = sys.argv[1:]
    Path(out).mkdir(parents=True, exist_ok=True)
    columns = ["date", "repository", "metric", "value", "low", "high", "source", "definition"]
    write_csv(Path(out) / "counts.csv", columns, read_counts(Path(studies), set(repositories)))


if __name__ == "__main__":
    main()
