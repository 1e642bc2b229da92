"""advisor compare: two candidates side by side."""

from __future__ import annotations

import sys

from advisor.cli import app
from advisor.cli.options import (
    AsOf,
    Domain,
    EvidenceFormat,
    Form,
    Goal,
    Name,
    RequestOptions,
    Rules,
    Set,
    Store,
)


@app.command()
def compare(
    first: Name,
    second: Name,
    domain: Domain = "finetuning",
    goal: Goal = None,
    as_of: AsOf = None,
    set_: Set = None,
    rules: Rules = None,
    store: Store = None,
    format: EvidenceFormat = Form.table,
) -> None:
    """Put two candidates side by side and say what would turn their order round.

    Example: advisor compare trl unsloth
    """
    options = RequestOptions(domain, goal, as_of, set_, rules, store)
    from advisor.answers.compare import compare as run
    from advisor.report.compare import RENDER

    found = run(options.request([first, second]))
    sys.stdout.write(RENDER[format.value](found))
