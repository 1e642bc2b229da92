"""advisor schema: the JSON schema of `advisor rank --format json`."""

from __future__ import annotations

from advisor.cli import app


@app.command()
def schema() -> None:
    """Print the JSON schema of `advisor rank --format json`."""
    import json

    from advisor.report.json import schema as of_recommendation

    print(json.dumps(of_recommendation(), indent=1))
