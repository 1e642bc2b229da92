"""The metrics: one module per metric, with the metric's name.

Every module of this package is a metric. `shared` has the SQL that several metrics use.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.model import Metric

METRICS: Mapping[str, Metric] = {
    module.name: importlib.import_module(f"{__name__}.{module.name}").METRIC
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name)
    if not module.ispkg
}
