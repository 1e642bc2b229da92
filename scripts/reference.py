"""Generate docs/reference from the code.

Usage: python scripts/reference.py FOLDER (`make docs` calls it with docs/reference).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import capabilities_page
import gpu_page
import reference_pages
from pydantic import TypeAdapter

from advisor.domain.domain import available_domains, load_domain
from advisor.metrics import METRICS
from advisor.model import Metric
from advisor.report import schemas
from finetune.record import Record
from finetune.spec import RunSpec

TRAINING_SCHEMAS = {"run": RunSpec, "record": Record}

HEAD = """# The metrics

`make docs` generates this page from `advisor/metrics/`; do not edit it. A measurement has a value, its
interval, the number of rows behind it, its sources and dates; or it is unavailable, with the reason.
"""


def metrics_page() -> str:
    """Return the page with one section per metric, by name."""
    criteria: dict[str, list[str]] = {}
    for domain in map(load_domain, available_domains()):
        for criterion in domain.criteria:
            for scale in criterion.scales:
                criteria.setdefault(scale.metric, []).append(f"{domain.name}: {criterion.name}")
    return "\n".join([HEAD, *(_section(METRICS[name], criteria.get(name, [])) for name in sorted(METRICS))])


def _section(metric: Metric, criteria: list[str]) -> str:
    window = f"{metric.window_days} days" if metric.window_days else "the whole history"
    chaoss = f"[{metric.chaoss}](https://chaoss.community/?p={metric.chaoss})" if metric.chaoss else "none"
    return f"""## {metric.title}

{metric.definition}

| `{metric.name}` | |
|---|---|
| unit | {metric.unit} |
| healthier value | {metric.direction} |
| window | {window} |
| fact tables | {", ".join(metric.needs)} |
| CHAOSS | {chaoss} |
| criteria | {", ".join(criteria) or "no criterion; only shown, and usable in rules"} |

Worked example, {_example(metric.name)}
"""


def _example(name: str) -> str:
    """Return the first test that computes the metric by hand; a test fails if there is none."""
    for file in sorted(
        (Path(__file__).resolve().parents[1] / "tests" / "unit" / "metrics").glob("test_*.py")
    ):
        text = file.read_text(encoding="utf-8")
        for test in re.findall(r"^def test_\w+\(.*\n(?:(?:    .*|\))?\n)*", text, flags=re.MULTILINE):
            if f'measure("{name}"' in test:
                return f"from [{file.name}](../../tests/unit/metrics/{file.name}):\n\n```python\n{test.rstrip()}\n```"
    raise LookupError(f"{name} has no worked example in tests/unit/metrics")


def pages() -> dict[str, str]:
    """Return file name → content of every generated page."""
    return {
        "metrics.md": metrics_page(),
        "dependencies.md": reference_pages.dependencies_page(),
        "facts.md": reference_pages.facts_page(),
        "rules.md": reference_pages.rules_page(),
        "capabilities.md": capabilities_page.capabilities_page(),
        "command-line.md": reference_pages.command_line_page(),
        "advisor.1": reference_pages.man_page(),
        "python.md": reference_pages.python_page(),
        "run-specification.md": reference_pages.spec_page(),
        "gpus.md": gpu_page.gpu_page(),
        **{f"{name}.schema.json": json.dumps(schema, indent=2) + "\n" for name, schema in _schemas().items()},
    }


def _schemas() -> dict[str, dict[str, object]]:
    training = {
        name: TypeAdapter(kind).json_schema(mode="serialization") for name, kind in TRAINING_SCHEMAS.items()
    }
    return {**{name: schemas.report_schema(name) for name in schemas.REPORTS}, **training}


def main() -> None:
    """Write all pages to the folder of the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
