"""Fit the joint distribution of the metrics, from which a score draws what is not known of a candidate.

    python scripts/fit_joint_distribution.py PANEL.parquet --at 2026-06-01 -o data/reference/joint_distribution.json

A row is a library of the panel with a commit in the year before the day, or a library of the bundled snapshots
at one of eight half-years (each library counts once). It has the value of each metric as a place on a normal
scale: the quantile of the value among the libraries. The panel gives the distribution of the metrics that it has.
The snapshots give a linear regression of all other metrics on those, so that their few, well-known libraries do
not count as typical (the factored likelihood of Anderson, *JASA* 52, 1957). Blanks are filled by the EM algorithm
(Little & Rubin, *Statistical Analysis with Missing Data*). Where a snapshot knows only bounds of a value, its
rows take the value and either bound in equal parts, as the score does. `--check` prints how well the distribution
predicts metrics of libraries that it was fitted without. The panel is not part of advisor.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import build_reference
import numpy as np
import pandas as pd

from advisor.answers.backtest import ranking, run
from advisor.decide.missing import AGE, Predictor, age_in_days
from advisor.decide.utilities import score_metric, utility
from advisor.domain.domain import Scale, available_domains, load_domain
from advisor.domain.files import data_folder
from advisor.domain.joint_distribution import POINTS, JointDistribution
from advisor.facts import reading
from advisor.facts.facts_view import FactsView
from advisor.measure.one_day import measure_days
from advisor.metrics import METRICS
from advisor.model import Measurement
from advisor.outlook import model, panel

NORMAL = NormalDist()
KNOTS = [round(0.3 * step, 1) for step in range(-8, 9)]  # places on the normal scale
ACTIVE_DAYS = 365
HALF_YEARS = 8
COPIES = 6  # rows of a library and day of a snapshot, each with a value or a bound of every metric
RIDGE = 0.1  # pulls the coefficients of the regression towards 0
SHRINKAGE = 0.1  # pulls the correlations of its residuals towards 0
GROWTH = ("stars_growth", "downloads_growth", "newcomer_share", "inactive_in_24_months")
FOLDS = 5
ROUNDS = 150


def domain_scales() -> dict[str, Scale]:
    """Return metric → its scale, over the criteria of all bundled domains, without benchmarks."""
    return {
        s.metric: s
        for name in available_domains()
        for c in load_domain(name).criteria
        if not (c.benched or c.optional)
        for s in c.scales
    }


def panel_rows(series: pd.DataFrame, at: date, metrics: Sequence[str]) -> pd.DataFrame:
    """Return a row for each active library of the panel: ``repository``, ``weight`` and metrics."""
    trees = model.load_model(data_folder() / "reference" / "outlook.json")
    members, features = run.forecast(series, [at], ranking.MONTHS, ACTIVE_DAYS, trees)
    values = build_reference.compute_metrics(series, at, ACTIVE_DAYS)
    values = values.rename(columns={"age": AGE}).assign(
        days_since_last_commit=values.days_since_last_commit.clip(lower=0)
    )
    # A total that falls is a correction in a list, not a figure of a year.
    values = values.where(values >= 0)
    growth = ranking.compute_metrics(series, members, features)
    values = values.assign(**{name: growth[name].to_numpy() for name in GROWTH})
    return values.reindex(columns=[*metrics]).assign(repository=members.repository.to_numpy(), weight=1.0)


def snapshot_rows(metrics: Sequence[str]) -> pd.DataFrame:
    """Return rows for the libraries of the bundled snapshots, of which each weighs 1 in all."""
    random = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    definitions = {n: METRICS[n] for n in (*metrics, "declared_status") if n in METRICS}
    for folder in sorted((data_folder() / "snapshots").iterdir()):
        store = reading.open_store(folder)
        days = [store.as_of - timedelta(days=182 * k) for k in range(HALF_YEARS)]
        facts = FactsView(store, tuple(store.repositories()), store.as_of)
        by_day = measure_days(facts, [d for d in days if d >= store.first_day], definitions)
        for repositories in by_day.values():
            for name, measurements in repositories.items():
                row = {"repository": name, AGE: age_in_days(measurements)}
                rows += [{**row, **_draw(measurements, metrics, random)} for _ in range(COPIES)]
    table = pd.DataFrame(rows).reindex(columns=["repository", *metrics])
    return table.assign(weight=1 / table.groupby("repository").repository.transform("size"))


def _draw(
    measurements: dict[str, Measurement], metrics: Sequence[str], random: np.random.Generator
) -> dict[str, float]:
    """Return for each measured metric its value or one of its bounds."""
    row = {}
    for name in metrics:
        m = measurements.get(name)
        if m is not None and isinstance(m.value, int | float):
            ends = (m.value if b is None else b for b in (m.low, m.high))
            row[name] = float((m.value, *ends)[random.integers(3)])
    return row


def fit(of_panel: pd.DataFrame, of_snapshots: pd.DataFrame, about: dict[str, Any]) -> dict[str, Any]:
    """Return the distribution as a JSON `advisor.domain.joint_distribution.JointDistribution`."""
    names = list(of_panel.columns.drop(["repository", "weight"]))
    shares = [NORMAL.cdf(z) for z in KNOTS]
    values, in_panel = {}, {}
    for name in names:
        in_panel[name] = bool(of_panel[name].notna().sum() >= build_reference.MIN_LIBRARIES)
        source = of_panel if in_panel[name] else of_snapshots
        values[name] = [float(f"{v:.5g}") for v in _quantiles(source[name], source.weight, shares)]
    known = np.array([in_panel[n] for n in names])
    places = [
        np.column_stack([_places(table[n].to_numpy(float), values[n]) for n in names])
        for table in (of_panel, of_snapshots)
    ]
    mean, covariance = fit_normal(places[0][:, known])
    mean, covariance = fit_regression(places[1], of_snapshots.weight.to_numpy(), known, mean, covariance)
    return {
        "about": about,
        "knots": KNOTS,
        "points": [round(NORMAL.inv_cdf((i + 0.5) / POINTS), 6) for i in range(POINTS)],
        "metrics": {n: {"mean": round(mean[i], 4), "values": values[n]} for i, n in enumerate(names)},
        "covariance": [[round(float(x), 4) for x in row] for row in covariance],
    }


def _quantiles(values: pd.Series[float], weights: pd.Series[float], shares: Sequence[float]) -> np.ndarray:
    known = values.notna()
    order = np.argsort(values[known].to_numpy(), kind="stable")
    x, w = values[known].to_numpy()[order], weights[known].to_numpy()[order]
    result: np.ndarray = np.interp(shares, (np.cumsum(w) - w / 2) / w.sum(), x)
    return result


def _places(values: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Return the place of each value on the normal scale; the middle of the places if several have it."""
    first = np.interp(values, quantiles, KNOTS)
    low = np.searchsorted(quantiles, values, "left").clip(0, len(KNOTS) - 1)
    high = (np.searchsorted(quantiles, values, "right") - 1).clip(0, len(KNOTS) - 1)
    middle = (np.array(KNOTS)[low] + np.array(KNOTS)[high]) / 2
    return np.where(np.isnan(values), np.nan, np.where(high > low, middle, first))


def fit_normal(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the covariance of rows with blanks (NaN), by EM."""
    mean, covariance = np.nanmean(places, axis=0), np.eye(places.shape[1])
    for _ in range(ROUNDS):
        total, first, second = _moments(places, np.ones(len(places)), mean, covariance)
        mean = first / total
        covariance = second / total - np.outer(mean, mean)
    return mean, covariance


def fit_regression(
    places: np.ndarray, weights: np.ndarray, given: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of all metrics, from a regression on those with a known distribution.

    Args:
        places: rows with a column for each metric; NaN: a blank.
        weights: how much a row counts.
        given: for each metric whether its distribution is known.
        mean: of the given metrics.
        covariance: of the given metrics.
    """
    whole_mean, whole = np.zeros(len(given)), np.eye(len(given))
    whole_mean[given], whole[np.ix_(given, given)] = mean, covariance
    for _ in range(ROUNDS):
        total, first, second = _moments(places, weights, whole_mean, whole)
        inputs = np.block([[total, first[given]], [first[given][:, None], second[np.ix_(given, given)]]])
        outputs = np.vstack([first[~given], second[np.ix_(given, ~given)]])
        ridge = RIDGE * total * np.diag([0.0, *np.ones(given.sum())])
        lines = np.linalg.solve(inputs + ridge, outputs)
        squares = second[np.ix_(~given, ~given)]
        rest = squares - outputs.T @ lines - lines.T @ outputs + lines.T @ inputs @ lines
        rest = rest / total * (1 - SHRINKAGE) + np.diag(np.diag(rest)) / total * SHRINKAGE
        slopes = lines[1:].T
        whole_mean[~given] = lines[0] + slopes @ mean
        whole[np.ix_(~given, given)] = slopes @ covariance
        whole[np.ix_(given, ~given)] = whole[np.ix_(~given, given)].T
        whole[np.ix_(~given, ~given)] = slopes @ covariance @ slopes.T + rest
    return whole_mean, whole


def _moments(
    places: np.ndarray, weights: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the weight of the rows, and the expected sums of values and of products."""
    patterns, groups = np.unique(~np.isnan(places), axis=0, return_inverse=True)
    first, second = np.zeros_like(mean), np.zeros_like(covariance)
    for i, known in enumerate(patterns):
        rows = np.flatnonzero(groups.ravel() == i)
        filled, rest = _fill(places[rows], known, mean, covariance)
        first += weights[rows] @ filled
        second += (filled * weights[rows, None]).T @ filled + weights[rows].sum() * rest
    return float(weights.sum()), first, second


def _fill(
    rows: np.ndarray, known: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with what is expected in place of blanks, and the covariance that remains."""
    blank = ~known
    gain = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, blank)])
    filled, rest = rows.copy(), np.zeros_like(covariance)
    filled[:, blank] = mean[blank] + (rows[:, known] - mean[known]) @ gain
    rest[np.ix_(blank, blank)] = covariance[np.ix_(blank, blank)] - covariance[np.ix_(blank, known)] @ gain
    return filled, rest


def _fold(repository: str) -> int:
    return hashlib.sha256(repository.encode()).digest()[0] % FOLDS


def check(of_panel: pd.DataFrame, of_snapshots: pd.DataFrame, scales: dict[str, Scale]) -> pd.DataFrame:
    """Predict each known metric of unseen libraries from their other metrics.

    Returns:
        One row for each metric and source of the libraries: ``error`` (mean absolute error of the utility),
        ``error_alone`` (without the other metrics), ``inside`` (share within the interval), ``n``.
    """
    records = []
    for fold in range(FOLDS):
        parts = []
        for table in (of_panel, of_snapshots):
            is_test = table.repository.map(_fold) == fold
            parts.append((table[~is_test], table[is_test]))
        content = fit(parts[0][0], parts[1][0], {"fold": fold})
        predictor = Predictor(JointDistribution.model_validate(content))
        tests = (("panel", parts[0][1].iloc[::5]), ("snapshots", parts[1][1].iloc[::COPIES]))
        for source, table in tests:
            for row in table.drop(columns=["repository", "weight"]).to_dict("records"):
                known = {str(n): float(v) for n, v in row.items() if not math.isnan(v)}
                records += [(source, *r) for r in _predict(predictor, known, scales)]
    errors = pd.DataFrame(records, columns=["source", "metric", "error", "error_alone", "inside"])
    groups = errors.groupby(["source", "metric"])
    return groups.mean().assign(n=groups.size())


def _predict(
    predictor: Predictor, known: dict[str, float], scales: dict[str, Scale]
) -> list[tuple[str, float, float, bool]]:
    records = []
    for name, value in known.items():
        if name in scales and len(known) > 1:
            others = {n: v for n, v in known.items() if n != name}
            score = score_metric(scales[name], None, others, predictor)
            alone = score_metric(scales[name], None, {}, predictor)
            truth = utility(scales[name], value)
            is_inside = score.low - 1e-9 <= truth <= score.high + 1e-9
            records.append((name, abs(score.mean - truth), abs(alone.mean - truth), is_inside))
    return records


def main() -> None:
    """Read the panel and the snapshots, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("panel", type=Path)
    parser.add_argument("--at", type=date.fromisoformat, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="print errors on unseen libraries")
    options = parser.parse_args()
    scales = domain_scales()
    names = [AGE, *sorted(scales)]
    of_panel = panel_rows(panel.read_panel(options.panel), options.at, names)
    of_snapshots = snapshot_rows(names)
    names = [n for n in names if of_panel[n].notna().any() or of_snapshots[n].notna().any()]
    of_panel, of_snapshots = (t[["repository", "weight", *names]] for t in (of_panel, of_snapshots))
    about = {
        "panel": hashlib.sha256(options.panel.read_bytes()).hexdigest(),
        "at": options.at.isoformat(),
        "libraries_of_panel": len(of_panel),
        "libraries_of_snapshots": of_snapshots.repository.nunique(),
    }
    content = json.dumps(fit(of_panel, of_snapshots, about))
    options.output.write_text(content.replace('"metrics"', '\n"metrics"').replace("], [", "],\n[") + "\n")
    if options.check:
        errors = check(of_panel, of_snapshots, scales)
        print(errors.round(3).to_string())
        print(errors.groupby("source")[["error", "error_alone", "inside"]].mean().round(3).to_string())


if __name__ == "__main__":
    main()
