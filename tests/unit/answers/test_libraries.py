"""Any libraries can be asked for: by package, address or category, without a domain file."""

import json
import re

import pytest
from small_world import AS_OF, rows
from typer.testing import CliRunner

import advisor
from advisor.answers import libraries
from advisor.answers.any_question import read_any_request
from advisor.answers.question import Request
from advisor.cli import app, load
from advisor.errors import AdvisorError, InputError, UnknownName
from advisor.facts import writing

load(None)


def run(*words):
    """Return the exit code and the output, or those of an error that main() would print."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, AdvisorError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


def names(answer):
    return [r.repository for r in answer.ranking]


@pytest.mark.parametrize(
    ("words", "domain"),
    [
        ((), "finetuning"),
        (("trl", "unsloth"), "finetuning"),
        (("trl", "peft"), "finetuning-wide"),
        (("Flask", "https://github.com/tiangolo/fastapi"), "web-frameworks"),
        (("django", "flask"), "web-frameworks"),
        (("pandas", "trl"), "libraries"),
        (("httpx",), "libraries"),
    ],
)
def test_the_first_domain_that_has_the_names_counts(words, domain):
    assert libraries.find_domain(words) == domain


def test_packages_addresses_and_repositories_are_libraries():
    answer = advisor.recommend(
        repositories=["Requests", "https://github.com/encode/httpx", "git@github.com:aio-libs/aiohttp.git"]
    )
    assert set(names(answer)) == {"psf/requests", "encode/httpx", "aio-libs/aiohttp"}
    assert answer.domain == "libraries" and answer.snapshot == "web-frameworks"
    assert "adoption" in answer.weights and "models" not in answer.weights
    assert {r.repository: r.measurement("stars").value > 10_000 for r in answer.ranking} == dict.fromkeys(
        names(answer), True
    )


def test_a_repository_on_a_list_is_known_by_its_name_without_the_owner():
    found = libraries.find_libraries(["Milvus", "haystack"], None, [], None)
    assert [c.repository for c in found.candidates] == ["milvus-io/milvus", "deepset-ai/haystack"]


def test_a_name_of_several_repositories_asks_which():
    with pytest.raises(
        InputError, match="libraries are called 'orbit': expected one of uber/orbit, kiwicom/orbit"
    ):
        libraries.find_libraries(["orbit"], None, [], None)


def test_an_ecosystem_before_the_name_decides_what_it_means():
    (entry,) = advisor.recommend(repositories=["npm:next"], domain="libraries").ranking or (None,)
    assert entry.repository == "vercel/next.js"


def test_facts_of_ones_own_come_before_lists(tmp_path):
    like = min(name for _, name in rows())
    for (table, of), content in rows().items():
        if of == like:
            writing.write_rows(
                tmp_path / "own",
                table,
                "encode/httpx",
                [{**r, "repository": "encode/httpx"} for r in content],
            )
    request = Request(domain="libraries", repositories=("httpx", "requests"), own_store=tmp_path / "own")
    question = read_any_request(request)
    assert [view.store.path.name for view in question.views] == ["own"] and question.as_of == AS_OF
    assert question.snapshot == "own"


def test_a_category_can_be_ranked_in_any_spelling():
    answer = advisor.recommend(category="Web Frameworks")
    assert answer.domain == "web-python/web-frameworks"
    assert {"django/django", "pallets/flask", "fastapi/fastapi"} <= set(names(answer))
    assert not {"playframework/playframework"} & set(names(answer))
    assert "scala/web-frameworks is another category of this name" in answer.sources
    assert names(advisor.recommend(category="scala/web_frameworks")) != names(answer)


def test_two_lists_of_one_field_are_asked_together():
    """One list of libraries for reinforcement learning has neither Gymnasium nor Stable-Baselines3."""
    answer = advisor.recommend(category="Reinforcement learning")
    assert {"DLR-RM/stable-baselines3", "Farama-Foundation/Gymnasium", "google-deepmind/acme"} <= set(
        names(answer)
    )
    assert "with the libraries of ml/reinforcement-learning, another list of this field" in answer.sources
    assert "atomistic-ml/reinforcement-learning is another category of this name" in answer.sources
    one_list = advisor.recommend(category="ml-python/reinforcement-learning")
    assert "DLR-RM/stable-baselines3" not in names(one_list)


def test_a_category_of_several_lists_is_that_with_the_most_recent_figures():
    """The list of Rust libraries has more of this name, but its figures end years before."""
    assert advisor.recommend(category="ML frameworks").domain == "ml-python/ml-frameworks"


def test_many_missing_candidates_are_counted():
    code, output = run("rank", "--category", "ml-rust/nlp")
    assert code == 3
    assert output.count("advisor: cannot rank ") == 9
    assert re.search(r"advisor: cannot rank \d+ more: see --format json", output)


def test_every_category_of_the_population_can_be_asked():
    listed = libraries.list_categories()
    assert len(listed) >= 218
    for category in listed[::29]:
        question = read_any_request(Request(domain="libraries", category=category.name))
        assert len(question.candidates) == category.libraries
    code, output = run("domains", "--format", "json")
    content = json.loads(output)
    assert code == 0 and len(content["categories"]) == len(listed)
    assert {"finetuning", "dataframes", "libraries"} <= {d["name"] for d in content["domains"]}
    assert "pandas-dev/pandas" in next(d for d in content["domains"] if d["name"] == "dataframes")["rivals"]


def test_the_list_of_domains_can_be_narrowed():
    code, output = run("domains", "frames")
    assert code == 0 and "dataframes" in output and "finetuning" not in output
    assert "14  balanced" in output  # 8 candidates with a history and 6 rivals from the public lists
    assert run("domains", "no such thing")[0] == 2


def test_the_commands_take_any_names():
    code, output = run("compare", "flask", "fastapi")
    assert code == 0 and "flask scores" in output
    code, output = run("compare", "httpx", "requests")
    assert code == 0 and "only figures of public lists, no history: " in output
    code, output = run("explain", "httpx")
    assert code == 0 and "all figures are from public lists" in output
    code, output = run("explain", "django")
    assert code == 0 and "`advisor collect django/django --git-only`" in output
    code, output = run("rank", "httpx", "requests", "aiohttp", "--format", "json")
    assert code == 0 and len(json.loads(output)["ranking"]) == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["rank", "reqests", "httpx"],
            "unknown library 'reqests': no bundled domain, no facts of yours and no ",
        ),
        (["rank", "reqests", "httpx"], "did you mean requests"),
        (["rank", "nobody/nothing"], "no facts about nobody/nothing, and no public list has them"),
        (
            ["rank", "httpx", "--as-of", "1999-01-01"],
            "no facts about encode/httpx as of 1999-01-01; the newest",
        ),
        (
            ["rank", "--category", "web framewroks"],
            "did you mean scala/web-frameworks or web-python/web-frameworks",
        ),
        (["rank", "--category", "testing", "--domain", "finetuning"], "a domain (--domain) or a category"),
        (["rank", "flask", "--category", "testing"], "one of the two"),
        (["rank", "--domain", "libraries"], "name libraries, or a category"),
        (["rank", "flask", "--domain", "finetuning"], "unknown candidate 'flask'"),
    ],
)
def test_a_wrong_name_is_one_message(words, text):
    code, message = run(*words)
    assert code == 2
    assert text in message


def test_the_python_call_refuses_what_the_command_refuses():
    with pytest.raises(UnknownName):
        advisor.recommend(category="no such category")
    with pytest.raises(InputError):
        advisor.recommend("finetuning", category="testing")
