"""All metrics that a scale may name: those of `advisor.metrics`, and the outlook, which no SQL can give."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.metrics import METRICS
from advisor.model import Metric
from advisor.outlook.measurements import METRIC

DEFINITIONS: Mapping[str, Metric] = {**METRICS, METRIC.name: METRIC}
