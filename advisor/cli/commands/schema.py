"""advisor schema: print the JSON schema of `advisor rank --format json`."""

from __future__ import annotations

from advisor.cli import app


@app.command()
def schema() -> None:
    """Print the JSON schema of `advisor rank --format json`."""
    import json

    from advisor.report.ranking import schema as recommendation_schema

    print(json.dumps(recommendation_schema(), indent=1))
