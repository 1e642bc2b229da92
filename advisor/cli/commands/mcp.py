"""advisor mcp: answer the questions of an agent over the Model Context Protocol."""

from __future__ import annotations

from advisor.cli import app


@app.command()
def mcp() -> None:
    """Serve an agent over stdin and stdout (Model Context Protocol).

    An agent starts this command itself; see the how-to for its settings. The tools read facts and files and
    change nothing. Needs the extra `mcp`.

    Examples:
      advisor mcp
    """
    from importlib.util import find_spec

    from advisor.errors import InputError

    if find_spec("mcp") is None:
        raise InputError(
            "the package mcp is missing: pip install 'library-advisor[mcp]', or '.[mcp]' in a clone"
        )
    from advisor.cli.mcp_server import build_server

    build_server().run("stdio")
