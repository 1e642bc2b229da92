"""The fact tables: the columns of each, and what a row is.

A new column must be nullable, so that older files stay readable.
"""

from __future__ import annotations

from collections.abc import Mapping

_PROVENANCE = {"source": "VARCHAR", "retrieved_at": "DATE"}

ATTESTATION = "attestation"
"""Source of a package's repository that an attestation proves, for example PyPI's of a trusted publisher."""
TABLES: Mapping[str, Mapping[str, str]] = {
    # A repository as observed on a date. declared_status: active, unmaintained, deprecated, archived or gone.
    # known_as: its current name on GitHub. owner_kind: Organization or User. licence: GitHub's, or with an
    # evidence_commit that of the files in the root folder since this day.
    "repositories": {
        "repository": "VARCHAR",
        "observed_on": "DATE",
        "declared_status": "VARCHAR",
        "evidence": "VARCHAR",
        "evidence_path": "VARCHAR",
        "evidence_commit": "VARCHAR",
        "github_id": "BIGINT",
        "known_as": "VARCHAR",
        "description": "VARCHAR",
        "licence": "VARCHAR",
        "created_on": "DATE",
        "is_archived": "BOOLEAN",
        "is_fork": "BOOLEAN",
        "has_issues": "BOOLEAN",
        "owner_kind": "VARCHAR",
        "owner_name": "VARCHAR",
        "owner_company": "VARCHAR",
        "owner_is_verified": "BOOLEAN",
        "owner_since": "DATE",
    },
    # One day's commits of one author (a number in order of first appearance). is_bot: a service or an AI
    # agent. agent_commits: those with an agent as author or co-author; NULL in older stores.
    "contributions": {
        "repository": "VARCHAR",
        "day": "DATE",
        "author": "INTEGER",
        "organisation": "VARCHAR",
        "is_bot": "BOOLEAN",
        "commits": "INTEGER",
        "agent_commits": "INTEGER",
    },
    # One day's commits of others that one person co-authored, by their trailers Co-authored-by.
    "co_authorships": {
        "repository": "VARCHAR",
        "day": "DATE",
        "author": "INTEGER",
        "commits": "INTEGER",
    },
    # An issue, a change request or a discussion. closed_by: the latest possible closing time, if the exact
    # time is unknown. responses_seen: the source reports responses. merged_by: the number of an author.
    # merged_by_organisation: the domain of the e-mail address used for the merge; or "@" and the GitHub
    # organisation that the person states as company. possibly_merged_at: when it may have been merged by
    # hand, if nothing shows whether it was.
    "threads": {
        "repository": "VARCHAR",
        "kind": "VARCHAR",
        "number": "INTEGER",
        "opened_at": "TIMESTAMP",
        "closed_at": "TIMESTAMP",
        "closed_by": "TIMESTAMP",
        "merged_at": "TIMESTAMP",
        "first_response_at": "TIMESTAMP",
        "author_association": "VARCHAR",
        "is_bot": "BOOLEAN",
        "responses_seen": "BOOLEAN",
        "merged_by": "INTEGER",
        "merged_by_organisation": "VARCHAR",
        "possibly_merged_at": "TIMESTAMP",
    },
    # A dated total of things without rows of their own. low and high: bounds of an estimate.
    "counts": {
        "repository": "VARCHAR",
        "day": "DATE",
        "metric": "VARCHAR",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "definition": "VARCHAR",
    },
    # A tag or a release. released_by: the number of an author, if the tag names a person. package: the one
    # that the tag names, in a repository of several.
    "releases": {
        "repository": "VARCHAR",
        "tag": "VARCHAR",
        "released_on": "DATE",
        "is_prerelease": "BOOLEAN",
        "released_by": "INTEGER",
        "package": "VARCHAR",
    },
    # A version on a package index. It is yanked (withdrawn) if all of its files are.
    "package_releases": {
        "repository": "VARCHAR",
        "package": "VARCHAR",
        "version": "VARCHAR",
        "released_on": "DATE",
        "is_prerelease": "BOOLEAN",
        "is_yanked": "BOOLEAN",
    },
    # A package that a repository publishes, according to the index (pypi, npm) on the day of retrieval.
    "packages": {  # source: an index, whose pages repeat the package's own word, or ATTESTATION
        "repository": "VARCHAR",
        "ecosystem": "VARCHAR",
        "package": "VARCHAR",
    },
    # What the index said on the day of retrieval about a version that a project uses; version NULL: about the
    # newest. message: why its authors advise against it; NULL: they do not.
    "deprecations": {
        "repository": "VARCHAR",
        "ecosystem": "VARCHAR",
        "package": "VARCHAR",
        "version": "VARCHAR",
        "message": "VARCHAR",
    },
    # The first day on which a library supported a model family by one route, and the day on which the
    # support ended. supported_on NULL: no support until known_until. Route main: code on the default branch
    # names the family. Route shown: a test, an example, a recipe or a page there uses one of its models.
    # Route package: a release on the index names or shows it. Route transformers: the library loads it
    # through transformers, without a commit of its own. Route architecture: its code accepts the type.
    "model_support": {
        "repository": "VARCHAR",
        "family": "VARCHAR",
        "vendor": "VARCHAR",
        "family_released_on": "DATE",
        "route": "VARCHAR",
        "supported_on": "DATE",
        "removed_on": "DATE",
        "known_until": "DATE",
        "evidence_name": "VARCHAR",
        "evidence_path": "VARCHAR",
        "evidence_commit": "VARCHAR",
    },
    # A ready-made recipe in one version of a file, from changed_on until replaced_on (NULL: still there on
    # known_until). kind: config, script, notebook or page. published_in: the repository with the file.
    # added_on: first day of the path. method: which weights it trains; task: what it teaches. gpus, memory_gb
    # (of one GPU), hardware: what it says; 2 GPUs stand also for several. path NULL: the history was read.
    "recipes": {
        "repository": "VARCHAR",
        "published_in": "VARCHAR",
        "path": "VARCHAR",
        "kind": "VARCHAR",
        "family": "VARCHAR",
        "model": "VARCHAR",
        "method": "VARCHAR",
        "task": "VARCHAR",
        "data_format": "VARCHAR",
        "gpus": "INTEGER",
        "memory_gb": "DOUBLE",
        "hardware": "VARCHAR",
        "added_on": "DATE",
        "changed_on": "DATE",
        "replaced_on": "DATE",
        "known_until": "DATE",
        "commit": "VARCHAR",
    },
    # A final release of the main line, by its tag or its file on PyPI, with the public API that its files
    # have. step: the number of the version that it raises (major, minor, patch; first), NULL if versions are
    # dates. package: what users import. names: its public names, aliases left out. evidence_commit: that of
    # the tag, NULL for a file on PyPI. reason: why the API is unknown.
    "api_releases": {
        "repository": "VARCHAR",
        "tag": "VARCHAR",
        "version": "VARCHAR",
        "released_on": "DATE",
        "step": "VARCHAR",
        "package": "VARCHAR",
        "names": "INTEGER",
        "evidence_commit": "VARCHAR",
        "reason": "VARCHAR",
    },
    # A public name of a module, and the releases in which it came, was first deprecated, and was gone.
    # is_alias: the object has a better name.
    "api_names": {
        "repository": "VARCHAR",
        "name": "VARCHAR",
        "kind": "VARCHAR",
        "is_alias": "BOOLEAN",
        "added_in": "VARCHAR",
        "added_on": "DATE",
        "deprecated_on": "DATE",
        "removed_in": "VARCHAR",
        "removed_on": "DATE",
    },
    # An incompatible change of a public name, or of a member of a public class. kind: removed, parameter
    # removed, … detail: the parameter, as name@position. was_deprecated: the release before announced it.
    "api_changes": {
        "repository": "VARCHAR",
        "version": "VARCHAR",
        "released_on": "DATE",
        "name": "VARCHAR",
        "member": "VARCHAR",
        "kind": "VARCHAR",
        "detail": "VARCHAR",
        "is_alias": "BOOLEAN",
        "was_deprecated": "BOOLEAN",
    },
    # A package that an install of a library brings, itself among them, by a lock of the day for Linux and one
    # Python version. size_bytes: of its download. is_wheel: False: the install builds it. pythons,
    # systems: those that install all of it from wheels. reason: why there is no lock; part is then NULL.
    "installs": {
        "repository": "VARCHAR",
        "day": "DATE",
        "package": "VARCHAR",
        "version": "VARCHAR",
        "python": "VARCHAR",
        "part": "VARCHAR",
        "part_version": "VARCHAR",
        "is_wheel": "BOOLEAN",
        "size_bytes": "BIGINT",
        "licence": "VARCHAR",
        "licence_kind": "VARCHAR",
        "advisories": "INTEGER",
        "pythons": "VARCHAR",
        "systems": "VARCHAR",
        "reason": "VARCHAR",
    },
    # One figure of one library, measured on one machine by `advisor bench`. figure: tokens_per_second,
    # peak_memory, …; relative_throughput and relative_peak_memory are multiples of a plain trl run in the
    # same bench. low and high: smallest and largest value of the runs, widened by the noise floor.
    "benchmarks": {
        "repository": "VARCHAR",
        "day": "DATE",
        "stack": "VARCHAR",
        "version": "VARCHAR",
        "figure": "VARCHAR",
        "unit": "VARCHAR",
        "value": "DOUBLE",
        "low": "DOUBLE",
        "high": "DOUBLE",
        "setting": "VARCHAR",
        "machine": "VARCHAR",
    },
}

# A user's own measurements are not facts about a project: these tables affect neither the list of
# repositories of a store nor its as-of date.
NOT_PROJECT_FACTS = ("benchmarks",)


# A row that was read more than two months before the as-of date does not describe that date (the same
# limit as in the cohorts of the back-test).
STALE_DAYS = 62

# The columns that give the first and the last day of a file.
DAYS: Mapping[str, list[str]] = {
    "repositories": ["observed_on"],
    "contributions": ["day"],
    "co_authorships": ["day"],
    "threads": ["opened_at", "closed_at", "merged_at"],
    "counts": ["day"],
    "releases": ["released_on"],
    "package_releases": ["released_on"],
    "packages": [],
    "deprecations": [],
    "model_support": ["supported_on"],
    "recipes": ["changed_on"],
    "api_releases": ["released_on"],
    "api_names": ["added_on"],
    "api_changes": ["released_on"],
    "installs": ["day"],
    "benchmarks": ["day"],
}


def columns(table: str) -> dict[str, str]:
    """Return the names and DuckDB types of a table's columns, provenance last."""
    return {**TABLES[table], **_PROVENANCE}
