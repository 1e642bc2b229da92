"""docs/reference from the code: what every metric is, from the file that computes it; and the other pages.

Usage: python scripts/reference.py FOLDER (`make docs` calls it with docs/reference).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import reference_pages
from pydantic import TypeAdapter

from advisor.answers.compare import Comparison
from advisor.answers.coverage import Coverage
from advisor.domain.domain import available_domains, load_domain
from advisor.metrics import METRICS
from advisor.model import Metric, Recommendation
from finetune.record import Record
from finetune.spec import RunSpec

SCHEMAS = {
    "recommendation": Recommendation, "comparison": Comparison, "coverage": Coverage, "run": RunSpec,
    "record": Record,
}  # fmt: skip

HEAD = """# The metrics

Made by `make docs` from `advisor/metrics/`; do not edit. A value comes with its interval, the number
that it rests on, its sources and dates, or as unavailable with the reason.
"""


def metrics_page() -> str:
    """One section a metric, by name."""
    used: dict[str, list[str]] = {}
    for domain in map(load_domain, available_domains()):
        for criterion in domain.criteria:
            for scale in criterion.scales:
                used.setdefault(scale.metric, []).append(f"{domain.name}: {criterion.name}")
    return "\n".join([HEAD, *(_section(METRICS[name], used.get(name, [])) for name in sorted(METRICS))])


def _section(metric: Metric, used: list[str]) -> str:
    window = f"{metric.window_days} days" if metric.window_days else "all of history"
    chaoss = f"[{metric.chaoss}](https://chaoss.community/?p={metric.chaoss})" if metric.chaoss else "none"
    return f"""## {metric.title}

{metric.definition}

| `{metric.name}` | |
|---|---|
| unit | {metric.unit} |
| healthier | {metric.direction} |
| window | {window} |
| reads | {", ".join(metric.needs)} |
| CHAOSS | {chaoss} |
| counts in | {", ".join(used) or "no criterion; shown and open to rules"} |

Worked example, {_example(metric.name)}
"""


def _example(name: str) -> str:
    """The first test that computes it by hand, as it stands; a test fails where there is none."""
    for file in sorted(
        (Path(__file__).resolve().parents[1] / "tests" / "unit" / "metrics").glob("test_*.py")
    ):
        text = file.read_text(encoding="utf-8")
        for test in re.findall(r"^def test_\w+\(.*\n(?:(?:    .*|\))?\n)*", text, flags=re.MULTILINE):
            if f'one("{name}"' in test:
                return f"from [{file.name}](../../tests/unit/metrics/{file.name}):\n\n```python\n{test.rstrip()}\n```"
    raise LookupError(f"{name} has no worked example in tests/unit/metrics")


def pages() -> dict[str, str]:
    """File name → content of every generated page."""
    return {
        "metrics.md": metrics_page(),
        "dependencies.md": reference_pages.dependencies_page(),
        "facts.md": reference_pages.facts_page(),
        "rules.md": reference_pages.rules_page(),
        "command-line.md": reference_pages.command_line_page(),
        "python.md": reference_pages.python_page(),
        "run-specification.md": reference_pages.spec_page(),
        **{
            f"{name}.schema.json": json.dumps(TypeAdapter(kind).json_schema(mode="serialization"), indent=2)
            + "\n"
            for name, kind in SCHEMAS.items()
        },
    }


def main() -> None:
    """Command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
