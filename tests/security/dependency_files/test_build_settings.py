"""Names in an SBOM follow the settings of Maven, NuGet, Cargo and Bundler."""

from __future__ import annotations

import json

import pytest
from private_names import SECRETS, collect, write

from advisor.answers.dependencies import indexes
from advisor.cli import load

load(None)


MAVEN = "<settings xmlns='http://maven.apache.org/SETTINGS/1.2.0'>{}</settings>"
MIRROR = MAVEN.format(
    "<mirrors><mirror><mirrorOf>*</mirrorOf><url>https://u:hunter2@mvn.corp.example/x</url></mirror></mirrors>"
)
PROFILE = MAVEN.format(
    "<profiles><profile><repositories><repository><url>${corp}</url></repository></repositories></profile></profiles>"
)
BLOCKER = MAVEN.format(
    "<mirrors><mirror><url>http://0.0.0.0/</url><blocked>true</blocked></mirror></mirrors>"
)
POM = "<project><repositories><repository><id>x</id><url>{}</url></repository></repositories></project>"
NUGET = '<?xml version="1.0"?><configuration><packageSources><clear /><add key="a" value="{}" /></packageSources></configuration>'
PROPS = "<Project><PropertyGroup><RestoreAdditionalProjectSources>$(RestoreAdditionalProjectSources);{}</RestoreAdditionalProjectSources></PropertyGroup></Project>"
CRATES = "[registries.crates-io]\nprotocol = 'sparse'\n[registry]\nindex = '{}'\n[source.crates-io]\nregistry = '{}'\n"
CRATES_IO = ("https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/")
SETTINGS_OF_BUILDS = [
    # kind, path of the file, content, whether a name may still leave
    ("maven", "home/.m2/settings.xml", MIRROR, False),
    ("maven", "home/.m2/settings.xml", PROFILE, False),
    ("maven", "home/.m2/settings.xml", BLOCKER, True),
    ("maven", "home/.m2/settings.xml", f"<!DOCTYPE x>{BLOCKER}", False),
    ("maven", "etc/maven/settings.xml", MIRROR, False),
    ("maven", "pom.xml", POM.format("https://mvn.corp.example"), False),
    ("maven", "pom.xml", POM.format("https://repo.maven.apache.org/maven2"), True),
    ("maven", "build.gradle", "repositories { mavenCentral()\n maven { url 'https://mvn.corp.example/a' } }", False),
    ("maven", "settings.gradle.kts", 'repositories { maven(url = "https://mvn.corp.example/a") }', False),
    ("maven", "build.gradle.kts", 'repositories { maven { name = "x"; url = uri(property(corp)) } }', False),
    ("maven", "home/.gradle/init.d/corp.gradle", "allprojects { repositories { maven { url 'https://mvn.corp.example' } } }", False),
    ("maven", "build.gradle", "plugins { id 'maven-publish' }\nrepositories { google(); maven { url 'https://plugins.gradle.org/m2' } }", True),
    ("nuget", "nuget.config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "NuGet.Config", NUGET.format("./packages"), False),
    ("nuget", "NuGet.config", NUGET.format("https://api.nuget.org/v3/index.json"), True),
    ("nuget", "nuget.config", NUGET.format("C:\\Program Files (x86)\\Microsoft SDKs\\NuGetPackages\\"), True),
    ("nuget", "nuget.config", "<configuration>", False),
    ("nuget", "home/.nuget/NuGet/NuGet.Config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "home/.nuget/config/corp.config", NUGET.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "Directory.Build.props", PROPS.format("https://nuget.corp.example/v3/index.json"), False),
    ("nuget", "Directory.Build.props", PROPS.format(""), True),
    ("cargo", ".cargo/config.toml", "[registries.corp]\nindex = 'sparse+https://cargo.corp.example/'\n", False),
    ("cargo", ".cargo/config.toml", "[source.crates-io]\nreplace-with = 'corp'\n[source.corp]\nregistry = 'https://cargo.corp.example'\n", False),
    ("cargo", ".cargo/config", "[source.crates-io]\nreplace-with = 'v'\n[source.v]\ndirectory = 'vendor'\n", False),
    ("cargo", "home/.cargo/config.toml", "registries.corp.index = 'ssh://git@cargo.corp.example/index'\n", False),
    ("cargo", "home/.cargo/config.toml", CRATES.format(*CRATES_IO), True),
    ("cargo", ".cargo/config.toml", "[build]\njobs = 2\n", True),
    ("gem", "Gemfile", "source 'https://rubygems.org'\nsource('https://gems.corp.example') do\n  gem 'x'\nend\n", False),
    ("gem", "Gemfile.lock", "GEM\n  remote: https://gems.corp.example/\n  specs:\n", False),
    ("gem", ".bundle/config", '---\nBUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "https://u:hunter2@gems.corp.example"\n', False),
    ("gem", "home/.gemrc", ":sources:\n- https://rubygems.org\n- https://gems.corp.example/\n", False),
    ("gem", "Gemfile", "source 'https://rubygems.org'\ngem 'zzz'\n", True),
]  # fmt: skip


@pytest.mark.parametrize(("ecosystem", "place", "content", "leaves"), SETTINGS_OF_BUILDS)
def test_a_name_in_an_sbom_follows_the_settings_of_the_build(
    wire, tmp_path, ecosystem, place, content, leaves
):
    """The SBOM lies below the settings, and the wire proves that another ecosystem is still asked."""
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(content)
    (tmp_path / "target").mkdir()
    purls = (f"pkg:{ecosystem}/com.acme/billing@1.0", "pkg:npm/zzz-public@1.0.0")
    components = [{"name": "x", "purl": purl} for purl in purls]
    (tmp_path / "target" / "bom.json").write_text(
        json.dumps({"bomFormat": "CycloneDX", "components": components})
    )
    plan = collect(tmp_path, "target/bom.json", more=("--dry-run",)).output
    assert ("billing: asks deps.dev" in plan) is leaves, plan
    assert ("billing: asks nobody: it may come from" in plan) is not leaves
    assert wire == []
    result = collect(tmp_path, "target/bom.json")
    assert any("registry.npmjs.org/zzz-public" in request for request in wire)
    assert any("billing" in request for request in wire) is leaves
    assert not any("corp" in request for request in wire)
    assert not [word for word in SECRETS if word in plan + result.output + str(result.exception)]


@pytest.mark.parametrize(("variables", "ecosystem"), [
    ({"CARGO_REGISTRIES_CORP_INDEX": "https://cargo.corp.example"}, "cargo"),
    ({"CARGO_HOME": "{home}/c"}, "cargo"), ({"MAVEN_ARGS": "-B -s {home}/c/config.toml"}, "maven"),
    ({"BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/": "https://gems.corp.example"}, "gem"),
])  # fmt: skip
def test_variables_of_build_tools_keep_names_at_home(wire, tmp_path, monkeypatch, variables, ecosystem):
    """What MAVEN_ARGS names is no XML, so nobody knows its mirrors."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("{home}", str(tmp_path / "home")))
    write(tmp_path / "home" / "c", config__toml="[registries.corp]\nindex = 'https://cargo.corp.example'\n")
    component = {"name": "x", "purl": f"pkg:{ecosystem}/billing@1.0"}
    (tmp_path / "bom.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": [component]}))
    plan = collect(tmp_path, "bom.json", more=("--dry-run",)).output
    collect(tmp_path, "bom.json")
    assert "billing: asks nobody: it may come from" in plan and wire == []


def test_every_public_host_is_a_host():
    assert all(
        indexes.index_host(f"https://{host}/x") == host for hosts in indexes.PUBLIC.values() for host in hosts
    )
