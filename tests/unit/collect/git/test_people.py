"""Who is one person: identities as real histories have them, with made-up names."""

from __future__ import annotations

import pytest

from advisor.collect.git.people import merge_identities

NOREPLY = "@users.noreply.github.com"


def group(*identities):
    """Return the groups of identities (name, mail, commits or 1) as a set of sets of their places."""
    counts = {identity[:2]: identity[2] if len(identity) > 2 else 1 for identity in identities}
    people: dict[int, set[int]] = {}
    for place, number in enumerate(merge_identities(counts).values()):
        people.setdefault(number, set()).add(place)
    return sorted(map(sorted, people.values()))


@pytest.mark.parametrize(
    "identities",
    [
        pytest.param([("Ann Lee", "ann@x.org"), ("alee", "ann@x.org")], id="one address"),
        pytest.param([("Ann Lee", "ann@x.org"), ("Ann Lee", "ann@home.dev")], id="one full name"),
        pytest.param([("René Ózil", "r@x.org"), ("Rene Ozil", "r@y.org")], id="accents"),
        pytest.param([("Lee, Ann", "r@x.org"), ("Ann B. Lee", "r@y.org")], id="order and initials"),
        pytest.param([("王小明", "r@x.org"), ("王小明", "r@y.org")], id="a full name of one word"),
        pytest.param([("Ann", f"7+annlee{NOREPLY}"), ("al", f"annlee{NOREPLY}")], id="one login"),
        pytest.param([("Ann", f"7+annlee{NOREPLY}"), ("Ann", f"7+ann-lee{NOREPLY}")], id="a renamed login"),
        pytest.param([("Ann Lee", f"7+annlee{NOREPLY}"), ("annlee", "ann@x.org")], id="a login as name"),
        pytest.param([("hoshiga", "hoshiga@x.org"), ("hoshiga", "4711@qq.com")], id="a handle"),
        pytest.param([("Ann Lee", "annlee42@gmail.com"), ("annlee42", "al@x.org")], id="a handle as address"),
        pytest.param([("Ann Lee", "al@x.org", 9), ("zed", "al@x.org")], id="a nickname"),
        pytest.param([("Ann Lee", "al@x.org"), ("Ann 'Zed' Lee via list", "z@y.org")], id="a nickname in a name"),
        pytest.param([("Ann", f"7+ann-lee{NOREPLY}"), ("Ann Lee", "al@x.org")], id="a login of a full name"),
        pytest.param([("Stijn", "stijn.herfst@x.org"), ("Stijn", "stijnherfst@y.org")], id="one local part"),
        pytest.param([("qiangzhu", "a1@qq.com"), ("qiangzhu", "b2@qq.com")], id="a long handle"),
        pytest.param([("Ann Lee", "al@x.org"), ("zed", "al@x.org@>")], id="a cut address"),
    ],
)  # fmt: skip
def test_evidence_of_one_person_joins(identities):
    assert group(*identities) == [list(range(len(identities)))]


@pytest.mark.parametrize(
    "identities",
    [
        pytest.param([("Ann Lee", ""), ("Bob Ray", ""), ("Cy Fox", "")], id="no address"),
        pytest.param([("Alex", "a@x.org"), ("Alex", "b@y.org"), ("alex", "c@z.org")], id="a common first name"),
        pytest.param([("Alex", "alex@x.org"), ("Alex", f"7+alex{NOREPLY}")], id="a first name as login"),
        pytest.param([("root", "root@a.org"), ("root", "root@b.org")], id="root"),
        pytest.param([("unknown", "kent@x.org"), ("unknown", "ann@x.org")], id="unknown"),
        pytest.param([("Ubuntu", "ubuntu@ip-1.ec2.internal"), ("Ubuntu", "ubuntu@ip-2.ec2.internal")], id="Ubuntu"),
        pytest.param([("Ann Lee", "user@host.(none)"), ("Bob Ray", "user@host.(none)")], id="a host without a name"),
        pytest.param([("Ann Lee", "noreply@github.com"), ("Bob Ray", "noreply@github.com")], id="GitHub's address"),
        pytest.param([("Wei Wang", f"1+ww{NOREPLY}"), ("Wei Wang", f"2+wwang{NOREPLY}")], id="two accounts"),
        pytest.param([("Ann Lee", "smithy77@x.org"), ("Bob Ray", f"1+smithy77{NOREPLY}")], id="a handle of another name"),
        pytest.param([("Ann Lee", "dev@x.org"), ("Bob Ray", "dev@x.org"), ("Cy Fox", "dev@x.org")], id="an address of many"),
        pytest.param([("mike", "mike@x.org"), ("mike", "mike@y.org")], id="a first name as address"),
        pytest.param([("Dmitry", "dmitry@x.org"), ("Dmitry", "dmitry@y.org")], id="a first name of elsewhere"),
        pytest.param([("Seth Kray", "seth@x.org"), ("Seth Samuel", "seth@y.org")], id="a first name as local part"),
        pytest.param([("Jean-Pierre", "jean-pierre@x.org"), ("Jean-Pierre", "jean-pierre@y.org")], id="two first names"),
        pytest.param([("Cy Fox", "office12@x.org"), ("Bob Ray", "office12@y.org")], id="a local part of two names"),
    ],
)  # fmt: skip
def test_evidence_that_many_share_joins_nobody(identities):
    assert group(*identities) == [[n] for n in range(len(identities))]


def test_a_name_that_begins_a_full_name_of_the_history_is_a_first_name():
    identities = [("Zbyszkoslaw", "a@x.org"), ("Zbyszkoslaw", "b@y.org")]
    assert group(*identities) == [[0, 1]]
    assert group(*identities, ("Zbyszkoslaw Kowal", "c@z.org")) == [[0], [1], [2]]


def test_a_commit_from_a_borrowed_machine_joins_nobody():
    identities = [("Ann Lee", "ann@x.org", 10), ("Bob Ray", "bob@x.org", 10), ("Bob Ray", "ann@x.org", 1)]
    assert group(*identities) == [[0], [1, 2]]
    assert group(*reversed(identities)) == [[0, 1], [2]]


def test_two_accounts_stay_two_people_however_long_the_chain():
    identities = [
        ("Wei Wang", f"1+ww{NOREPLY}", 9), ("Wei Wang", "ww@x.org", 5), ("wwang", "ww@x.org", 1),
        ("wwang", f"2+wwang{NOREPLY}", 3),
    ]  # fmt: skip
    assert group(*identities) == [[0], [1, 2, 3]], "a handle says more than a name"


def test_numbers_follow_the_order_of_the_identities():
    counts = {("Bob Ray", "b@x.org"): 1, ("Ann Lee", "a@x.org"): 9, ("Bob Ray", "c@x.org"): 1}
    assert list(merge_identities(counts).values()) == [0, 1, 0]
