"""advisor compare: two candidates side by side."""

from __future__ import annotations

import sys

from advisor.cli import app
from advisor.cli.explain import Form, Format, Name
from advisor.cli.rank import AsOf, Domain, Goal, Rules, Set, Store, ask


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
    format: Format = Form.table,  # noqa: A002
) -> None:
    """Put two candidates side by side and say what would turn their order round.

    Example: advisor compare trl unsloth
    """
    from advisor.compare import compare as run
    from advisor.report.compare import RENDER

    found = run(ask([first, second], domain, goal, as_of, set_, rules, store))
    sys.stdout.write(RENDER[format.value](found))
