"""Find the token for a GitHub host: environment, GitHub App, .netrc or the hosts file of `gh`.

A token belongs to one origin. It is a `SecretStr`, which prints as asterisks, and is never written to disk.
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
    """A token, and where it comes from.

    Attributes:
        source: where the token comes from, in words.
        get_token: returns the token; it is called for every request, as the token of an App expires.
    """

    source: str
    get_token: Callable[[], SecretStr]


def find_credential(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    """Return the credential for the GitHub whose REST API is at ``rest``; None if there is none.

    The sources, in order:

    1. GH_TOKEN, then GITHUB_TOKEN. For any host except github.com and that of GITHUB_API_URL:
       GH_ENTERPRISE_TOKEN, then GITHUB_ENTERPRISE_TOKEN.
    2. GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY and GITHUB_APP_INSTALLATION_ID.
    3. .netrc.
    4. The hosts file of `gh`.

    Raises:
        InputError: a source holds something that cannot be a token.
    """
    for read_credential in (_read_environment, _read_app, _read_netrc, _read_gh_hosts):
        if credential := read_credential(rest, environment, home):
            return credential
    return None


def find_credentials(rest: str, environment: Mapping[str, str], home: Path) -> list[Credential]:
    """Return the credentials of GH_TOKENS (separated by commas or spaces), else of `find_credential`.

    Raises:
        InputError: a source holds something that cannot be a token.
    """
    texts = environment.get("GH_TOKENS", "").replace(",", " ").split()
    if texts and _is_default_github(rest, environment):
        return [
            _build_credential(f"GH_TOKENS, number {n}", text)
            for n, text in enumerate(dict.fromkeys(texts), start=1)
        ]
    credential = find_credential(rest, environment, home)
    return [credential] if credential else []


def _read_host(rest: str) -> str:
    host = (urlsplit(rest).hostname or "").lower()
    return "github.com" if host == "api.github.com" else host


def _build_credential(source: str, token: str) -> Credential:
    if not _TOKEN.fullmatch(token):
        raise InputError(f"invalid token in {source}: expected text without spaces")
    secret = SecretStr(token)
    return Credential(source, lambda: secret)


def _is_default_github(rest: str, environment: Mapping[str, str]) -> bool:
    """Return whether GH_TOKEN and GITHUB_TOKEN are for this GitHub, not for GitHub Enterprise."""
    api_url = environment.get("GITHUB_API_URL", "https://api.github.com")
    is_default = _read_host(rest) in {"github.com", _read_host(api_url)}
    if _read_host(rest) == "github.com" and _read_host(api_url) != "github.com":
        is_default = "GITHUB_API_URL" not in environment
    return is_default


def _read_environment(rest: str, environment: Mapping[str, str], _: Path) -> Credential | None:
    is_default = _is_default_github(rest, environment)
    names = ("GH_TOKEN", "GITHUB_TOKEN") if is_default else ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    for name in names:
        if token := environment.get(name, "").strip():
            return _build_credential(name, token)
    return None


def _read_app(rest: str, environment: Mapping[str, str], _: Path) -> Credential | None:
    values = [environment.get(f"GITHUB_APP_{part}", "") for part in ("ID", "PRIVATE_KEY", "INSTALLATION_ID")]
    if not any(values):
        return None
    app, key, installation = values
    if not all(values) or not installation.isdigit():
        raise InputError(
            "a GitHub App needs GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and "
            "GITHUB_APP_INSTALLATION_ID (a number)"
        )
    if _read_host(rest) != _read_host(environment.get("GITHUB_API_URL", "https://api.github.com")):
        return None
    from github import Auth, Github, GithubException
    from jwt import PyJWTError

    authentication: list[Any] = []

    def get_token() -> SecretStr:
        try:
            if not authentication:
                auth = Auth.AppAuth(app, key).get_installation_auth(int(installation))
                authentication.append(Github(auth=auth, base_url=rest).requester.auth)
            return SecretStr(authentication[0].token)  # PyGithub renews it when it expires
        except (GithubException, PyJWTError, OSError, ValueError, TypeError) as error:
            raise Refused(
                f"the GitHub App gets no token ({type(error).__name__}); check GITHUB_APP_…"
            ) from None

    return Credential("the GitHub App in GITHUB_APP_ID", get_token)


def _read_netrc(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    if not Path(environment.get("NETRC") or home / ".netrc").is_file():
        return None
    from github import Auth, Github

    try:
        # PyGithub reads the file as `requests` does, for the host of the API.
        auth: Any = Github(auth=Auth.NetrcAuth(), base_url=rest).requester.auth
        # It returns login and password for Basic; the password is the token, and GraphQL needs Bearer.
        _, _, token = base64.b64decode(auth.token).decode().partition(":")
    except (RuntimeError, ValueError, OSError):
        return None
    return _build_credential(".netrc", token)


def _read_gh_hosts(rest: str, environment: Mapping[str, str], home: Path) -> Credential | None:
    import yaml

    folder = environment.get("GH_CONFIG_DIR") or (
        Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "gh"
    )
    path = Path(folder) / "hosts.yml"
    try:
        entry = yaml.safe_load(path.read_text())[_read_host(rest)]
        token = entry.get("oauth_token") or entry["users"][entry["user"]]["oauth_token"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    return _build_credential("the hosts file of gh", str(token))
