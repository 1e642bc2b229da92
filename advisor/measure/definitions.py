"""All metrics that a scale may name: those of `advisor.metrics`, and two that no SQL can give."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.metrics import METRICS
from advisor.model import Metric
from advisor.outlook.measurements import METRIC

RECIPE_STEPS = Metric(
    name="recipe_steps",
    title="Steps from the nearest recipe",
    definition=(
        "How much the user must change in the library's nearest ready-made recipe for the task that they "
        "name: another task 6, another family 4, other weights 2, a size, an adapter or a GPU 1 each; 0: it "
        "fits as it is. A library without any recipe counts as 12."
    ),
    unit="steps",
    direction="less",
    sql="",
    needs=("recipes",),
    label="steps from a ready-made recipe",
)
"""The distance of the nearest recipe to the user's task; `advisor.answers.task_recipes` measures it."""
DEFINITIONS: Mapping[str, Metric] = {**METRICS, METRIC.name: METRIC, RECIPE_STEPS.name: RECIPE_STEPS}
