"""Who gets the credit for a commit: people, agents, services and co-authors of a real history."""

from __future__ import annotations

import subprocess
from collections import Counter
from datetime import date

import pytest

from advisor.collect.git import collect_history
from advisor.collect.git.authors import find_organisations, number_people
from advisor.collect.git.co_authors import parse_co_authors
from advisor.collect.git.credit import Commit
from advisor.facts.reading import open_store, read_rows

DAY = date(2026, 1, 1)
ANN, BOB, CY = "Ann Lee <ann@x.example>", "Bob Ray <bob@y.example>", "Cy Fox <cy@z.example>"
CLAUDE, WEB = "Claude <noreply@anthropic.com>", "GitHub <noreply@github.com>"
RENOVATE = "renovate[bot] <1+renovate[bot]@users.noreply.github.com>"


def build_history(folder, *commits, files=()):
    """Build a history with one process: commits are (author, committer, co-authors), one a day."""
    lines = []
    for number, (author, committer, *co_authors) in enumerate(commits):
        message = "\n".join(["Change", "", *(f"Co-authored-by: {c}" for c in co_authors)])
        time = 1_750_000_000 + 86400 * number
        lines += [
            "commit refs/heads/main",
            f"author {author} {time} +0000",
            f"committer {committer} {time} +0000",
        ]
        lines += [f"data {len(message.encode())}", message]
        for path, text in files if not number else ():
            lines += [f"M 100644 inline {path}", f"data {len(text)}", text]
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    stream = "\n".join([*lines, "done", ""]).encode()
    subprocess.run(["git", "-C", str(folder), "fast-import", "--quiet"], input=stream, check=True)
    subprocess.run(["git", "-C", str(folder), "config", "uploadpack.allowFilter", "true"], check=True)
    return folder


def read_people(where, tmp_path, **options):
    """Return person → (commits, agent commits, co-authored commits, is_bot), the days of a person added up."""
    store = tmp_path / "store"
    collect_history(where, store, tmp_path / "cache", retrieved_on=DAY, repository="o/n", **options)
    commits, agents, shared = Counter(), Counter(), Counter()
    is_bot = {}
    for row in read_rows(open_store(store), "contributions", "o/n"):
        commits[row["author"]] += row["commits"]
        agents[row["author"]] += row["agent_commits"]
        is_bot[row["author"]] = row["is_bot"]
    for row in read_rows(open_store(store), "co_authorships", "o/n"):
        shared[row["author"]] += row["commits"]
    return {n: (commits[n], agents[n], shared[n], is_bot.get(n, False)) for n in sorted({*is_bot, *shared})}


def test_each_commit_goes_to_a_person_where_there_is_one(tmp_path):
    folder = build_history(
        tmp_path / "own",
        (ANN, ANN),
        (ANN, WEB, CLAUDE),  # a person with an agent
        (CLAUDE, WEB, BOB),  # an agent with a person
        (CLAUDE, ANN),  # an agent whose work a person committed
        (CLAUDE, WEB),  # an agent alone
        (CLAUDE, CLAUDE, RENOVATE),
        (RENOVATE, WEB, CLAUDE),
        (RENOVATE, WEB, BOB),  # a service's commit stays the service's
    )
    ann, bob, claude, renovate = (3, 2, 0, False), (1, 1, 1, False), (2, 2, 0, True), (2, 1, 0, True)
    assert read_people(str(folder), tmp_path) == {0: ann, 1: bob, 2: claude, 3: renovate}


@pytest.mark.parametrize("by_address", [True, False])
def test_co_authors_are_people_by_their_trailers_and_the_mailmap(tmp_path, by_address):
    mailmap = "Bob Ray <bob@y.example> <old@y.example>\n"
    folder = build_history(
        tmp_path / "own",
        (ANN, ANN, BOB, "B. <old@y.example>", ANN, "no address", CLAUDE),
        (ANN, ANN, "Ann Lee <ann@home.example>", CY, "D\u2028\x85ee <noreply@anthropic.com>"),
        (CY, CY),
        (BOB, BOB),
        files=[(".mailmap", mailmap)],
    )
    where = folder.as_uri() if by_address else str(folder)
    ann, cy, bob = (2, 2, 0, False), (1, 0, 1, False), (1, 0, 1, False)
    assert read_people(where, tmp_path) == {0: ann, 1: cy, 2: bob}


def test_a_machine_of_the_users_list_is_no_contributor(tmp_path):
    folder = build_history(tmp_path / "own", (ANN, ANN), ("Build Farm <farm@x.example>", ANN, BOB))
    pattern = {"class": "service", "patterns": ["build farm"], "source": "our wiki"}
    subprocess.run(["git", "-C", str(folder), "update-ref", "refs/pull/3/head", "main"], check=True)
    people = read_people(str(folder), tmp_path, patterns=[pattern])
    assert people == {0: (1, 0, 0, False), 1: (1, 0, 0, True), 2: (0, 0, 1, False)}
    (request,) = read_rows(open_store(tmp_path / "store"), "threads", "o/n")
    assert request["is_bot"], "its change requests are a bot's"


def test_hostile_trailers_are_left_out():
    lines = [
        "A <a@x.example>",
        "no address",
        "<b@x.example> and more",
        "C <>",
        "A <a@x.example>",
        "x" * 10**5,
    ]
    assert parse_co_authors("\n".join(lines)) == (("A", "a@x.example"), ("", "b@x.example"))
    assert len(parse_co_authors("".join(f"N <{n}@x.example>\n" for n in range(5000)))) == 1000


@pytest.mark.parametrize(
    ("authors", "organisations"),
    [
        pytest.param(["Ann Lee <ann@corp.dev>", "Al Dent <al@corp.dev>"], {"corp.dev"}, id="a company"),
        pytest.param(["Ann Lee <ann@eu.corp.co.uk>", "Al Dent <al@corp.co.uk>"], {"corp.co.uk"}, id="below it"),
        pytest.param(["Ann Lee <ann@cs.mit.edu>", "Al Dent <al@mit.edu>"], {"mit.edu"}, id="a university"),
        pytest.param(["Ann Lee <ann@posteo.de>", "Al Dent <al@posteo.de>"], set(), id="a mail provider"),
        pytest.param(["Ann Lee <ann@debian.org>", "Al Dent <al@debian.org>"], set(), id="a distribution"),
        pytest.param(["Ann Lee <ann@annlee.dev>", "Al Dent <al@annlee.dev>"], set(), id="a person's domain"),
        pytest.param(["Ann Lee <ann@lee.org>", "Bob Lee <bob@lee.org>"], set(), id="a family's domain"),
        pytest.param(["Ann Lee <ann@corp.dev>", "acme-bot <ci@corp.dev>"], set(), id="a person and a machine"),
        pytest.param(["Ann Lee <ann@corp.dev>", "Bob Ray <ann@corp.dev>", BOB, BOB, BOB], set(), id="one address"),
    ],
)  # fmt: skip
def test_only_employers_and_schools_of_two_people_are_organisations(authors, organisations):
    pairs = [(author.partition(" <")[0], author.partition(" <")[2].rstrip(">")) for author in authors]
    people = number_people([Commit("", *pair, 0) for pair in pairs])
    assert set(find_organisations(people).values()) == organisations


def test_an_agent_that_assisted_counts_and_its_commit_stays_the_authors(tmp_path):
    folder = build_history(tmp_path / "repository", (ANN, ANN), (ANN, ANN), (BOB, BOB))
    for trailer, author in (
        ("Assisted-by: Claude:claude-opus-4-8", "Ann Lee"),
        ("Assisted-by: Cy Fox", "Ann Lee"),
    ):
        command = ["git", "-C", str(folder), "-c", f"user.name={author}", "-c", "user.email=ann@x.example"]
        subprocess.run([*command, "commit", "-q", "--allow-empty", "-m", f"Change\n\n{trailer}"], check=True)
    people = read_people(str(folder), tmp_path)
    assert {people[0], people[1]} == {(4, 1, 0, False), (1, 0, 0, False)}
