"""advisor compare: two candidates side by side."""

from __future__ import annotations

import sys

from advisor.cli import app
from advisor.cli.explain import Form, Format, Name
from advisor.cli.rank import RequestOptions
from advisor.cli.shared_options import takes


@app.command()
@takes(RequestOptions)
def compare(
    asked: RequestOptions,
    first: Name,
    second: Name,
    format: Format = Form.table,
) -> None:
    """Put two candidates side by side and say what would turn their order round.

    Example: advisor compare trl unsloth
    """
    from advisor.compare import compare as run
    from advisor.report.compare import RENDER

    found = run(asked.request([first, second]))
    sys.stdout.write(RENDER[format.value](found))
