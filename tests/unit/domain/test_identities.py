"""The classes of authors and e-mail domains in data/identities, and in a domain file."""

from __future__ import annotations

import re

import pytest

from advisor.domain.domain import load_domain
from advisor.domain.identities import load_identities
from advisor.errors import ConfigError

NOREPLY = "users.noreply.github.com"
SERVICES = [
    ("GitHub Actions", "actions@github.com"), ("github-actions[bot]", f"41898282+github-actions[bot]@{NOREPLY}"),
    ("aws-sdk-python-automation", "github-aws-sdk-python-automation@amazon.com"),
    ("Mend Renovate", "bot@renovateapp.com"), ("Weblate (bot)", "hosted@weblate.org"),
    ("Weblate", "noreply@weblate.org"), ("bors", "bors@rust-lang.org"), ("semantic-release", "s@example.org"),
    ("osv-robot", f"80022306+osv-robot@{NOREPLY}"), ("zuul", "zuul@review.opendev.org"),
    ("Copybara-Service", "copybara-worker@google.com"), ("pyup.io bot", "github-bot@pyup.io"),
    ("Update", f"1+acme-bot@{NOREPLY}"), ("Travis CI", "builds@travis-ci.org"),
    ("ImgBot", "help@example.org"), ("Scala Steward", "me@scala-steward.org"),
    ("aio-libs bot", "aiolibsbot@koston.org"), ("SCALIBR Team", "copybara-servicebot@google.com"),
]  # fmt: skip
AGENTS = [
    ("Claude", "noreply@anthropic.com"), ("Claude Opus 4.6", "noreply@anthropic.com"),
    ("claude[bot]", f"209825114+claude[bot]@{NOREPLY}"), ("Cursor Agent", "cursoragent@cursor.com"),
    ("google-labs-jules", f"161369871+google-labs-jules@{NOREPLY}"), ("Codex", "codex@openai.com"),
    ("Devin AI", f"158243242+devin-ai-integration@{NOREPLY}"), ("OpenHands", "openhands@all-hands.dev"),
    ("Gemini", f"176961590+gemini-code-assist[bot]@{NOREPLY}"), ("Copilot", f"198982749+Copilot@{NOREPLY}"),
    ("aider (gpt-5)", "aider@aider.chat"), ("copilot-swe-agent[bot]", f"198982749+Copilot@{NOREPLY}"),
    ("Claude", "no-reply@anthropic.com"), ("Crush", "crush@charm.land"), ("Oz", "oz-agent@warp.dev"),
    ("Qwen-Coder", "qwen-coder@alibabacloud.com"), ("Junie", "junie@jetbrains.com"),
    ("factory-droid[bot]", f"138933559+factory-droid[bot]@{NOREPLY}"), ("Roo Code", "roomote@roocode.com"),
    ("Kiro Agent", f"244629292+kiro-agent@{NOREPLY}"), ("Codex Agent", "codex@example.com"),
    ("opencode", f"opencode-agent[bot]@{NOREPLY}"), ("Junie", f"247260674+junie-agent@{NOREPLY}"),
    ("roomote-v0[bot]", f"219738659+roomote-v0[bot]@{NOREPLY}"), ("ghas", f"62310815+github-advanced-security[bot]@{NOREPLY}"),
]  # fmt: skip
# Names of people in public histories that have a word of a machine in them, at made-up addresses.
PEOPLE = [
    ("Claude Paroz", "claude@x.org"), ("Claude", "claude@x.org"), ("Devin Fee", "devin@x.org"),
    ("Jules Gagnon-Marchand", "jules@x.org"), ("Marc Hernandez Cabot", "m@x.org"), ("Sylvain Rabot", "s@x.org"),
    ("Yann Le Bot", "yann@x.org"), ("Chris Talbot", "chris@x.org"), ("monobot", "m@x.org"),
    ("Carlos Jenkins", "carlos@jenkins.example"), ("Travis Oliphant", "travis@x.org"), ("woodenrobot", "w@x.org"),
    ("agentultra", "james@x.org"), ("Botao Chen", "botao@x.org"), ("Theo Buehler", f"1+botovq@{NOREPLY}"),
    ("Zeke", f"2+zeke-cursor@{NOREPLY}"), ("Ann Lee", "ann@google.com"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "authors"), [("service", SERVICES), ("agent", AGENTS), ("person", PEOPLE)], ids=lambda v: v[:1]
)
def test_people_services_and_agents_are_told_apart(kind, authors):
    identities = load_identities()
    assert [author for author in authors if identities.classify(*author) != kind] == []


@pytest.mark.parametrize(
    ("trailers", "is_agent"),
    [
        ("Claude:claude-3-opus coccinelle sparse", True), ("Crush:gpt-5", True), ("OpenAI Codex", True),
        ("Claude Opus 4.8 (effort: high)", True), ("Ann Lee <ann@x.org>\nClaude <noreply@anthropic.com>", True),
        ("Grok Code Fast via Crush <crush@charm.land>", True), ("", False), ("Ann Lee <ann@x.org>", False),
        ("Claude Paroz <claude@x.org>", False), ("Ann Lee", False), ("Claudette Ray", False),
        ("https://x.org/1", False), ("protoc v3.1", False),
    ],
)  # fmt: skip
def test_a_trailer_names_an_agent(trailers, is_agent):
    assert load_identities().name_an_agent(trailers) == is_agent


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("gmail.com", "mail provider"), ("posteo.de", "mail provider"), ("mailbox.org", "mail provider"),
        ("pobox.com", "mail provider"), ("riseup.net", "mail provider"), ("iki.fi", "mail provider"),
        ("alum.mit.edu", "mail provider"), ("apache.org", "community"), ("people.debian.org", "community"),
        ("python.org", "community"), ("gentoo.org", "community"), ("cs.berkeley.edu", "university"),
        ("inf.ethz.ch", "university"), ("ox.ac.uk", "university"), ("google.com", "company"),
        ("notgmail.com", "company"), ("redhat.com", "company"),
    ],
)  # fmt: skip
def test_employers_are_told_from_other_domains(domain, kind):
    assert load_identities().classify_domain(domain) == kind


def test_a_domain_file_names_machines_people_and_mail_providers(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "finetuning"\n[[identities]]\nclass = "service"\npatterns = ["Build Farm", "@ci.acme.example"]\n'
        'source = "our wiki"\n[[identities]]\nclass = "person"\npatterns = ["ann-bot"]\nsource = "Ann"\n'
        '[[identities]]\nclass = "mail provider"\npatterns = ["@acme-mail.example"]\nsource = "our wiki"\n'
    )
    identities = load_identities(load_domain(str(path)).identities)
    kinds = [
        identities.classify(*a)
        for a in (("build farm", ""), ("Ann", "a@eu.ci.acme.example"), ("ann-bot", ""))
    ]
    assert kinds == ["service", "service", "person"]
    assert identities.classify("dependabot[bot]", "") == "service", "the bundled patterns remain"
    assert identities.classify_domain("acme-mail.example") == "mail provider"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('class = "robot"\npatterns = ["x"]\nsource = "s"', "class"),
        ('class = "agent"\npatterns = []\nsource = "s"', "patterns"),
        ('class = "agent"\npatterns = ["x"]', "source"),
    ],
)
def test_an_entry_that_is_wrong_is_one_message(tmp_path, entry, problem):
    (tmp_path / "identities").mkdir()
    (tmp_path / "identities" / "mine.toml").write_text(f"[[identities]]\n{entry}\n")
    with pytest.raises(ConfigError, match=rf"mine\.toml: identities\.0\.{problem}"):
        load_identities((), tmp_path)


def test_logins_of_machines_are_one_expression():
    pattern = re.compile(load_identities().machine_logins())
    logins = [
        "dependabot[bot]",
        "acme-bot",
        "copilot",
        "cursoragent",
        "ann",
        "claude",
        "robotics-ann",
        "cabot",
    ]
    assert [login for login in logins if pattern.match(login)] == logins[:4]
