"""No output shows a secret, and no file outside the folder is read."""

from __future__ import annotations

import json
import os

import pytest
from private_names import SECRETS
from typer.testing import CliRunner

from advisor.addresses import remove_credentials
from advisor.answers.dependencies import files
from advisor.cli import app, load
from advisor.errors import InputError

load(None)


ADDRESSES = [
    (
        "https://alice:hunter2@pypi.corp.example/req.txt",
        "https://pypi.corp.example/req.txt",
    ),  # pragma: allowlist secret
    (
        "bar @ https://alice:hun/ter@2@pypi.corp.example/b.tar.gz",
        "bar @ https://pypi.corp.example/b.tar.gz",
    ),  # pragma: allowlist secret
    ("https://alice:12/3@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://u:p?w@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://u:p#w@files.example/x", "https://files.example/x"),  # pragma: allowlist secret
    ("https://files.example/b.tar.gz?sig=SECRETSIG#sha256=1", "https://files.example/b.tar.gz"),
    ("git+https://${GH_TOKEN}@github.com/a/s.git@v1#egg=s", "git+https://github.com/a/s.git@v1"),
    ("git+https://files.example/o/n.git@feature/x", "git+https://files.example/o/n.git@feature/x"),
    ("git@files.example:o/n.git", "files.example:o/n.git"),
    ("https://localhost:8080/o/n@v1", "https://localhost:8080/o/n@v1"),
    ("https://[::1]:8080/o/n@v1", "https://[::1]:8080/o/n@v1"),
    ("@scope/name@1.0.0", "@scope/name@1.0.0"),
]


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_an_address_is_shown_without_secrets(address, shown):
    assert remove_credentials(address) == shown


def test_no_output_and_no_error_shows_a_secret(tmp_path):
    lines = ["--extra-index-url https://alice:hunter2@pypi.corp.example/simple",  # pragma: allowlist secret
             "foo @ https://alice:hunter2@pypi.corp.example/foo-1.0.tar.gz",  # pragma: allowlist secret
             "bar @ https://alice:hun/ter@2@pypi.corp.example/bar-1.0.tar.gz",  # pragma: allowlist secret
             "baz @ https://files.corp.example/baz-1.0.tar.gz?sig=SECRETSIG",
             "https://files.corp.example/qux-1.0.tar.gz?sig=SECRETSIG",
             "git+https://${GH_TOKEN}@github.com/acme/secret.git@v1#egg=secret",
             "-e git+https://oauth2:glpat-XYZ@gitlab.com/acme/gl.git#egg=gl"]  # fmt: skip
    path = tmp_path / "requirements.txt"
    path.write_text("\n".join(lines))
    for form in ("table", "json", "csv", "markdown", "sarif"):
        result = CliRunner().invoke(
            app, ["rank", "--from", str(path), "--store", "bundled", "--format", form]
        )
        assert result.exit_code == 0 and not [word for word in SECRETS if word in result.output], form
    bad = {
        "a.txt": "-r https://alice:hunter2@pypi.corp.example/req.txt",  # pragma: allowlist secret
        "b.txt": "x y @ https://alice:hunter2@h.example/x",  # pragma: allowlist secret
        "c.txt": "https://alice:hunter2@h.example/x.whl?sig=SECRETSIG",  # pragma: allowlist secret
        "d.yml": "dependencies: [{pip: ['x y @ https://alice:hunter2@h.example/x']}]",  # pragma: allowlist secret
        "e.yml": "a: 'https://alice:hunter2@h.example/x",  # pragma: allowlist secret
        "package.json": '{"dependencies": {"https://alice:hunter2@h.example/x": "1"}}',  # pragma: allowlist secret
        "bom.json": '{"bomFormat": "CycloneDX", "components": [{"name": "x", "purl": "https://alice:hunter2@h.example/x"}]}',  # pragma: allowlist secret
    }  # fmt: skip
    for name, content in bad.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError) as error_info:
            files.read_dependencies([tmp_path / name])
        assert not [word for word in SECRETS if word in str(error_info.value)], error_info.value


@pytest.fixture
def outside(tmp_path):
    """A folder for the files of a test, beside a file with a secret."""
    (tmp_path / "secret.txt").write_text("root:SECRETSIG:0:0\n")
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.mark.parametrize("line", [
    "-r ../secret.txt", "-c ../secret.txt", "-r /proc/self/environ", "-r sub/../../secret.txt", "-r link.txt",
    "-r /dev/zero", "-rpipe.txt", "-r self.txt", "-r /etc/passwd", "-r nul\0.txt", "-r " + "a" * 5000,
])  # fmt: skip
def test_a_file_outside_the_folder_is_not_read(outside, line):
    (outside / "sub").mkdir()
    (outside / "link.txt").symlink_to(outside.parent / "secret.txt")
    (outside / "self.txt").symlink_to(outside / "self.txt")
    os.mkfifo(outside / "pipe.txt")
    (outside / "requirements.txt").write_text(f"flask\n{line}\n")
    with pytest.raises(InputError) as error_info:
        files.read_dependencies([outside / "requirements.txt"])
    assert "SECRETSIG" not in str(error_info.value) and "root:" not in str(error_info.value)
    assert "\n" not in str(error_info.value)


def test_a_named_link_to_another_folder_is_not_read(outside):
    for name in ("requirements.txt", "uv.lock", "package.json"):
        (outside / name).symlink_to(outside.parent / "secret.txt")
        with pytest.raises(InputError, match="is a link to another folder") as error_info:
            files.read_dependencies([outside / name])
        assert "SECRETSIG" not in str(error_info.value)


def test_a_folder_may_be_allowed(outside):
    (outside.parent / "shared").mkdir()
    (outside.parent / "shared" / "base.txt").write_text("flask==3.0.0\n")
    (outside / "requirements.txt").write_text("-r ../shared/base.txt\n")
    command = ["rank", "--store", "bundled", "--format", "csv", "--from", str(outside / "requirements.txt")]
    refusal = CliRunner().invoke(app, command)
    assert "../shared/base.txt is outside the folder" in str(refusal.exception)
    result = CliRunner().invoke(app, [*command, "--include", str(outside.parent / "shared")])
    assert "pypi,flask,3.0.0" in result.output


@pytest.mark.parametrize(
    "name", ["../../x", "@a/../../x", "..", "/x", "a/b", "@a/b/c", "", "a\\b", "node_modules", "x" * 215]
)
def test_a_name_that_npm_forbids_reads_no_file(outside, name):
    (outside.parent / "x").mkdir()
    (outside.parent / "x" / "package.json").write_text('{"repository": "github:huggingface/trl"}')
    for file, content in (("package.json", {"dependencies": {name: "1.0.0"}}),
                          ("package-lock.json", {"packages": {"node_modules/a": {"name": name, "version": "1.0.0"}}})):  # fmt: skip
        if file == "package-lock.json" and not name:
            continue  # an empty name is no name: the folder names the package
        (outside / file).write_text(json.dumps(content))
        with pytest.raises(InputError, match="is not the name of an npm package"):
            files.read_dependencies([outside / file])


def test_an_installed_package_outside_the_folder_is_not_read(outside):
    (outside.parent / "x").mkdir()
    (outside.parent / "x" / "package.json").write_text('{"repository": "github:huggingface/trl"}')
    (outside / "node_modules").mkdir()
    (outside / "node_modules" / "evil").symlink_to(outside.parent / "x")
    (outside / "package.json").write_text('{"dependencies": {"evil": "1.0.0"}}')
    (package,) = files.read_dependencies([outside / "package.json"])
    assert package.repository is None
