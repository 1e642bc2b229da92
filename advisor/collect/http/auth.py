"""Whose token is for which host: the environment, a GitHub App, .netrc, the file of `gh`.

A token is for one origin. It is held as a secret that shows as asterisks, and never written anywhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from advisor.errors import InputError, Refused

_TOKEN = re.compile(r"[\x21-\x7e]{4,2000}")


@dataclass(frozen=True)
class Credential:
    """A token that is asked for when it is needed (that of an App lasts an hour).

    Attributes:
        found_in: where it comes from, in words.
        token: gives the token.
    """

    found_in: str
    token: Callable[[], SecretStr]


def find(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    """The credential for the GitHub whose REST API is at ``rest``; None: there is none.

    The first of: GH_TOKEN and GITHUB_TOKEN (for a host that is neither github.com nor the one that
    GITHUB_API_URL names, GH_ENTERPRISE_TOKEN and GITHUB_ENTERPRISE_TOKEN); GITHUB_APP_ID with
    GITHUB_APP_PRIVATE_KEY and GITHUB_APP_INSTALLATION_ID; .netrc; the hosts file of `gh`.

    Raises:
        InputError: what was found cannot be a token.
    """
    for source in (_from_environment, _from_app, _from_netrc, _from_gh):
        if found := source(rest, environment, home):
            return found
    return None


def find_all(rest: str, environment: Mapping[str, str], home: Path) -> list[Credential]:
    """Every token that may be asked with: those of GH_TOKENS (by commas or blanks), else the one of `find`.

    Raises:
        InputError: what was found cannot be a token.
    """
    texts = environment.get("GH_TOKENS", "").replace(",", " ").split()
    if texts and _is_ours(rest, environment):
        return [
            _fixed(f"GH_TOKENS, number {n}", text) for n, text in enumerate(dict.fromkeys(texts), start=1)
        ]
    one = find(rest, environment, home)
    return [one] if one else []


def _host(rest: str) -> str:
    host = (urlsplit(rest).hostname or "").lower()
    return "github.com" if host == "api.github.com" else host


def _checked(found_in: str, token: str) -> SecretStr:
    if not _TOKEN.fullmatch(token):
        raise InputError(f"what {found_in} holds cannot be a token (blank, or with spaces in it)")
    return SecretStr(token)


def _fixed(found_in: str, token: str) -> Credential:
    secret = _checked(found_in, token)
    return Credential(found_in, lambda: secret)


def _is_ours(rest: str, environment: Mapping[str, str]) -> bool:
    """Whether the usual variables are meant for this GitHub, not for an Enterprise beside it."""
    named = environment.get("GITHUB_API_URL", "https://api.github.com")
    is_ours = _host(rest) in {"github.com", _host(named)}
    if _host(rest) == "github.com" and _host(named) != "github.com":
        is_ours = "GITHUB_API_URL" not in environment
    return is_ours


def _from_environment(rest: str, environment: Mapping[str, str], _: Path) -> Credential | None:
    is_ours = _is_ours(rest, environment)
    names = ("GH_TOKEN", "GITHUB_TOKEN") if is_ours else ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    for name in names:
        if token := environment.get(name, "").strip():
            return _fixed(name, token)
    return None


def _from_app(rest: str, environment: Mapping[str, str], _: Path) -> Credential | None:
    given = [environment.get(f"GITHUB_APP_{part}", "") for part in ("ID", "PRIVATE_KEY", "INSTALLATION_ID")]
    if not any(given):
        return None
    app, key, installation = given
    if not all(given) or not installation.isdigit():
        raise InputError(
            "a GitHub App needs GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and "
            "GITHUB_APP_INSTALLATION_ID (a number)"
        )
    if _host(rest) != _host(environment.get("GITHUB_API_URL", "https://api.github.com")):
        return None
    from github import Auth, Github, GithubException
    from jwt import PyJWTError

    held: list[Any] = []

    def token() -> SecretStr:
        try:
            if not held:
                auth = Auth.AppAuth(app, key).get_installation_auth(int(installation))
                held.append(Github(auth=auth, base_url=rest).requester.auth)
            return SecretStr(held[0].token)  # asked for anew by PyGithub when it runs out
        except (GithubException, PyJWTError, OSError, ValueError, TypeError) as error:
            raise Refused(
                f"the GitHub App gets no token ({type(error).__name__}); check GITHUB_APP_…"
            ) from None

    return Credential("the GitHub App in GITHUB_APP_ID", token)


def _from_netrc(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    if not Path(environment.get("NETRC") or home / ".netrc").is_file():
        return None
    from github import Auth, Github

    try:
        # PyGithub reads the file as requests does, for the host of the API.
        auth: Any = Github(auth=Auth.NetrcAuth(), base_url=rest).requester.auth
        # It gives login and password as Basic does; the password is the token, and GraphQL takes Bearer.
        _, _, token = base64.b64decode(auth.token).decode().partition(":")
    except (RuntimeError, ValueError, OSError):
        return None
    return _fixed(".netrc", token)


def _from_gh(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    import yaml

    folder = environment.get("GH_CONFIG_DIR") or (
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "gh"
    )
    path = Path(folder) / "hosts.yml"
    try:
        entry = yaml.safe_load(path.read_text())[_host(rest)]
        token = entry.get("oauth_token") or entry["users"][entry["user"]]["oauth_token"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    return _fixed("the hosts file of gh", str(token))
