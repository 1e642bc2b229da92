"""Commands that read one history after another: one `--name`, one message for each failure, one exit code."""

from __future__ import annotations

import pytest
import typer.main

from advisor.cli import app, load
from advisor.cli.collect_each import check_one_place, collect_each
from advisor.errors import GitFailed, InputError


def test_repositories_that_fail_are_named_and_the_others_collected(capsys):
    places = []

    def collect(place):
        if place.startswith("bad"):
            raise GitFailed(f"{place}: no history")
        places.append(place)

    with pytest.raises(typer.Exit) as end:
        collect_each(["bad/1", "good/1", "bad/2"], collect)
    assert (end.value.exit_code, places) == (3, ["good/1"])
    assert capsys.readouterr().err == "advisor: bad/1: no history\nadvisor: bad/2: no history\n"
    with pytest.raises(GitFailed):
        collect_each(["bad/1"], collect)
    assert collect_each([], collect) is None


def test_an_option_for_one_repository_refuses_any_other_number():
    check_one_place(["a/b"], name="x/y", library=None)
    check_one_place(["a/b", "c/d"], name=None)
    with pytest.raises(InputError, match=r"^--name needs exactly one repository$"):
        check_one_place([], name="x/y")
    with pytest.raises(InputError, match=r"^--name and --library need exactly one repository$"):
        check_one_place(["a/b", "c/d"], name=None, library="x/y")


def test_the_four_commands_offer_the_same_name():
    load(None)
    commands = typer.main.get_command(app).commands
    helps = [
        parameter.help
        for name in ("collect", "collect-support", "collect-docs", "collect-stability")
        for parameter in commands[name].params
        if parameter.name == "name"
    ]
    assert len(helps) == 4 and len(set(helps)) == 1
