"""Endpoints of GitHub, and the token for each host."""

from __future__ import annotations

import pytest
from collecting import TOKEN
from pydantic import SecretStr

from advisor.collect.github.protocol import find_endpoints
from advisor.collect.http import auth
from advisor.collect.http.auth import Credential
from advisor.errors import (
    InputError,
    Refused,
)

API = "https://api.github.com"
CREDENTIAL = Credential("test", lambda: SecretStr(TOKEN))
GHE = {"GITHUB_API_URL": "https://ghe.example/api/v3", "GITHUB_GRAPHQL_URL": "https://ghe.example/api/graphql",
       "GITHUB_SERVER_URL": "https://ghe.example"}  # fmt: skip


@pytest.mark.parametrize(("environment", "url", "rest", "graphql", "web"), [
    ({}, None, API, f"{API}/graphql", "https://github.com"),
    (GHE, None, "https://ghe.example/api/v3", "https://ghe.example/api/graphql", "https://ghe.example"),
    ({}, "https://ghe.example", "https://ghe.example/api/v3", "https://ghe.example/api/graphql", "https://ghe.example"),
    (GHE, "https://github.com", API, f"{API}/graphql", "https://github.com"),
    ({"GITHUB_API_URL": "http://127.0.0.1:80"}, None, "http://127.0.0.1:80", "http://127.0.0.1:80/graphql",
     "http://127.0.0.1:80"),
])  # fmt: skip
def test_endpoints_of_github(environment, url, rest, graphql, web):
    endpoints = find_endpoints(environment, url)
    assert (endpoints.rest, endpoints.graphql, endpoints.web) == (rest, graphql, web)


def read_credential(environment, tmp_path, rest=API):
    credential = auth.find_credential(rest, environment, tmp_path)
    return credential and (credential.source, credential.get_token().get_secret_value())


def test_tokens_from_the_environment_are_for_their_host(tmp_path):
    ours = {"GH_TOKEN": "first-token", "GITHUB_TOKEN": "second-token"}
    assert read_credential(ours, tmp_path) == ("GH_TOKEN", "first-token")
    assert read_credential(ours, tmp_path, "https://ghe.example/api/v3") is None, (
        "a token of github.com is not sent elsewhere"
    )
    assert read_credential({**ours, **GHE}, tmp_path, GHE["GITHUB_API_URL"]) == ("GH_TOKEN", "first-token"), (
        "as in Actions"
    )
    assert read_credential({**ours, **GHE}, tmp_path, API) is None
    theirs = {**ours, "GH_ENTERPRISE_TOKEN": "third-token"}
    assert read_credential(theirs, tmp_path, "https://ghe.example/api/v3") == (
        "GH_ENTERPRISE_TOKEN",
        "third-token",
    )
    with pytest.raises(InputError) as excinfo:
        read_credential({"GH_TOKEN": "two words"}, tmp_path)
    assert "words" not in str(excinfo.value)


def test_tokens_from_gh_and_netrc(tmp_path, monkeypatch):
    (tmp_path / ".config/gh").mkdir(parents=True)
    hosts = tmp_path / ".config/gh/hosts.yml"
    hosts.write_text("github.com:\n    user: me\n    oauth_token: gho_file\n    git_protocol: https\n")
    assert read_credential({}, tmp_path) == ("the hosts file of gh", "gho_file")
    hosts.write_text("github.com:\n    user: me\n    users:\n        me:\n            oauth_token: gho_new\n")
    assert read_credential({}, tmp_path) == ("the hosts file of gh", "gho_new")
    assert read_credential({}, tmp_path, "https://ghe.example/api/v3") is None
    hosts.write_text("github.com: [\n")
    assert read_credential({}, tmp_path) is None
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine api.github.com login me password net_rc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert read_credential({"NETRC": str(netrc)}, tmp_path) == (".netrc", "net_rc")
    assert read_credential({"NETRC": str(netrc)}, tmp_path, "https://ghe.example/api/v3") is None


def test_a_github_app_gets_a_token_of_its_installation(tmp_path):
    from collecting import serve_fake
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from fake_github import FakeGitHub, World

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption()).decode()  # fmt: skip
    with serve_fake(FakeGitHub(World())) as url:
        app = {"GITHUB_APP_ID": "12", "GITHUB_APP_PRIVATE_KEY": pem, "GITHUB_APP_INSTALLATION_ID": "34",
               "GITHUB_API_URL": url}  # fmt: skip
        credential = auth.find_credential(url, app, tmp_path)
        assert {credential.get_token().get_secret_value() for _ in range(2)} == {"ghs_installation"}
        assert read_credential(app, tmp_path, API) is None
        with pytest.raises(InputError, match="GITHUB_APP_ID"):
            read_credential({**app, "GITHUB_APP_ID": ""}, tmp_path, url)
        credential = auth.find_credential(url, {**app, "GITHUB_APP_PRIVATE_KEY": "no key"}, tmp_path)
        with pytest.raises(Refused):
            credential.get_token()


def test_a_credential_does_not_print_its_token():
    assert TOKEN not in repr(CREDENTIAL) + str(CREDENTIAL) + repr(CREDENTIAL.get_token()) + str(
        CREDENTIAL.get_token()
    )
