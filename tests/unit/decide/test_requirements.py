"""Requirements become rules and reasons; the notes name what could not be checked."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest

from advisor import recommend
from advisor.decide import rules
from advisor.decide.requirements import (
    NAMES,
    ModelSupport,
    Requirements,
    compute_memory,
    parse_memory,
    parse_parameters,
    requirement_values,
)
from advisor.domain.capabilities import Capability, Library, Licence, load_capabilities
from advisor.domain.files import data_folder
from advisor.errors import ConfigError, InputError
from advisor.model import Candidate

RULES = rules.load_rules(data_folder() / "rules" / "requirements.toml", NAMES)
LIBRARIES = load_capabilities("finetuning")
META = Candidate("pytorch/torchtune", "torchtune", backer="Meta", backer_kind="big tech")


def check(requirements, candidate=META, support=None):
    """Rule → its finding, of the rules that fire."""
    values = requirement_values(candidate, requirements, LIBRARIES.get(candidate.repository), support)
    findings, _ = rules.apply_rules(RULES, {**rules.rule_values(candidate, {}), **values})
    return {f.rule: f for f in findings}


@pytest.mark.parametrize(("name", "billions"), [
    ("google/gemma-2-9b", 9), ("Qwen/Qwen2.5-0.5B-Instruct", 0.5), ("mistralai/Mixtral-8x7B-v0.1", 56),
    ("HuggingFaceTB/SmolLM2-135M", 0.135), ("microsoft/phi-4", None), ("Qwen3-30B-A3B", 30), ("x/y-4bit", None),
    ("7b/none", None), ("a/x-1.5b-7b", 7), ("a/m-8x1.5b", 12), ("a/m-8x22bit", None), ("y3b", None), ("a/b/y-2b", 2),
])  # fmt: skip
def test_parse_parameters(name, billions):
    assert parse_parameters(name) == (pytest.approx(billions) if billions else None)


def test_memory_by_hand():
    # 16, 2 and 4.127/8 bytes for each parameter; a model that fits to the last byte fits
    for method, size in (("full", 16), ("lora", 2), ("qlora", 4.126953125 / 8)):
        exact = Requirements(model="x/y-1b", method=method, gpu_memory_gib=1e9 * size / 2**30)
        assert compute_memory(exact)["fits"] == "yes"
        assert compute_memory(replace(exact, gpu_memory_gib=exact.gpu_memory_gib * 0.999))["fits"] == "no"
    # 65 billion at 4.127 bits are 31.2 GiB, the figure of the QLoRA paper's arithmetic
    values = compute_memory(Requirements(model="x/llama-65b", method="qlora", gpu_memory_gib=48))
    assert values["memory_needed_gib"] == pytest.approx(65e9 * 4.126953125 / 8 / 2**30, abs=0.05)
    assert values["fits"] == "yes"
    assert compute_memory(Requirements(model="x/llama-65b", method="lora", gpu_memory_gib=48))["fits"] == "no"
    assert (
        compute_memory(Requirements(model="x/llama-65b", method="lora", gpu_memory_gib=48, gpus=4))["fits"]
        == "yes"
    )
    assert compute_memory(Requirements(model="microsoft/phi-4", method="lora", gpu_memory_gib=48)) == {}


@pytest.mark.parametrize(("text", "gib"), [("24GB", 24), ("24 GiB", 24), ("80", 80), (" 11.5g ", 11.5)])
def test_memory_as_people_write_it(text, gib):
    assert parse_memory(text) == gib


KINDS = "big-tech, company, start-up, foundation, university, research-institute, community, individual"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: parse_memory("much GB"), "invalid amount of memory 'much GB': write it as 24GB"),
    (lambda: parse_memory("24GB or so"), "invalid amount of memory '24GB or so': write it as 24GB"),
    (lambda: Requirements(method="dora2"), "unknown method 'dora2': choose one of full, lora, qlora"),
    (lambda: Requirements(license="mit"), "unknown license 'mit': choose one of permissive"),
    (lambda: Requirements(avoid=("bigtech",)),
     f"unknown kind of backer 'bigtech': choose one of {KINDS}"),
    (lambda: Requirements(prefer=("company", "x")),
     f"unknown kind of backer 'x': choose one of {KINDS}"),
    (lambda: Requirements(gpus=0), "invalid gpus 0: expected a number above 0"),
    (lambda: Requirements(gpu_memory_gib=-1), "invalid gpu memory -1: expected a number above 0"),
])  # fmt: skip
def test_wrong_input_raises(call, message):
    with pytest.raises(InputError) as raised:
        call()
    assert str(raised.value) == message


def test_only_empty_requirements_are_false():
    assert not Requirements()
    assert Requirements(gpus=1) and Requirements(gpu_memory_gib=0.5) and Requirements(avoid=("Start-up",))


def test_all_values_for_the_rules():
    def licence(part, kind):
        return Licence(part=part, licence=kind, name=f"{kind}-1", path=f"{part}/LICENSE", shows="some")

    library = Library(
        commit="0123456789" * 4, day=date(2026, 1, 1),
        licences=[licence("all", "permissive"), licence("gui", "copyleft"), licence("docs", "permissive"),
                  licence("models", "restricted")],
        capability=[Capability(name=name, can="yes", path=f"{name}.py", shows="some", says=f"does {name}")
                    for name in ("lora", "multi_gpu")]
        + [Capability(name=name, can="no", path=f"{name}.py", shows="some", says=f"not {name}")
           for name in ("qlora", "multi_gpu_qlora")],
    )  # fmt: skip
    requirements = Requirements(
        "x/y-8b", "qlora", 24.0, 2, "permissive", avoid=("company",), prefer=("Big Tech",)
    )
    support = ModelSupport("Y", None, "not by then")
    of_the_user = {
        "memory_needed_gib": 3.8, "memory_there_gib": 48.0, "fits": "yes",
        "memory_evidence": "8 billion parameters by its name, 0.516 bytes each",
        "wanted_model": "x/y-8b", "wanted_method": "qlora", "wanted_gpus": 2, "wanted_license": "permissive",
        "wanted_family": "Y", "serves_model": "no", "model_evidence": "not by then",
        "kind_is_avoided": "no", "kind_is_preferred": "yes",
    }  # fmt: skip
    of_the_library = {
        "can_method": "no", "method_evidence": "not qlora (qlora.py at 012345678)",
        "can_gpus": "no", "gpus_evidence": "not multi_gpu_qlora (multi_gpu_qlora.py at 012345678)",
        "licence": "permissive", "licence_evidence": "permissive-1 (all/LICENSE at 012345678)",
        "licence_of_parts": "copyleft",
        "parts_evidence": "gui: copyleft-1 (gui/LICENSE); models: restricted-1 (models/LICENSE)",
    }  # fmt: skip
    assert requirement_values(META, requirements, library, support) == {**of_the_user, **of_the_library}
    assert set(NAMES) == set(of_the_user) | set(of_the_library)
    assert requirement_values(META, requirements, None, support) == of_the_user
    lora = requirement_values(META, Requirements(method="lora", gpus=2), library, None)
    assert lora == {
        "wanted_method": "lora", "can_method": "yes", "method_evidence": "does lora (lora.py at 012345678)",
        "wanted_gpus": 2, "can_gpus": "yes", "gpus_evidence": "does multi_gpu (multi_gpu.py at 012345678)",
    }  # fmt: skip
    whole = library.model_copy(update={"licences": library.licences[:1]})
    assert requirement_values(META, Requirements(license="permissive", gpus=1), whole, None) == {
        "wanted_license": "permissive", "licence": "permissive", "licence_of_parts": "permissive",
        "licence_evidence": "permissive-1 (all/LICENSE at 012345678)",
    }  # fmt: skip
    without_backer = Candidate("a/b", "b")
    assert requirement_values(without_backer, Requirements(avoid=("company",)), None, None) == {}
    values = requirement_values(
        without_backer, Requirements(), None, ModelSupport("Y", date(2026, 1, 1), "since")
    )
    assert values["serves_model"] == "yes"


def test_a_kind_may_have_hyphens():
    assert (
        check(Requirements(avoid=("big-tech",)))["backer-avoided"].text
        == "you avoid backers of the kind big tech, and its backer is Meta"
    )
    assert check(Requirements(avoid=("community",))) == {}
    assert "backer-preferred" in check(Requirements(prefer=("Big Tech",)))


def test_missing_model_support_excludes_and_unknown_support_does_not():
    requirements = Requirements(model="google/gemma-2-9b")
    assert (
        check(requirements, support=ModelSupport("Gemma 2", None, "not by 2024-07-01"))[
            "model-not-served"
        ].verdict
        == "exclude"
    )
    assert (
        "2024-11-08"
        in check(requirements, support=ModelSupport("Gemma 2", date(2024, 11, 8), "since 2024-11-08"))[
            "model-served"
        ].text
    )
    assert check(requirements) == {}


def test_litgpt_refuses_qlora_on_two_gpus_and_the_evidence_names_the_file():
    litgpt = Candidate("Lightning-AI/litgpt", "litgpt")
    assert "one-gpu-only" not in check(Requirements(method="qlora", gpus=1), litgpt)
    text = check(Requirements(method="qlora", gpus=2), litgpt)["one-gpu-only"].text
    assert "litgpt/finetune/lora.py at 26857050f" in text
    assert "many-gpus" in check(Requirements(method="lora", gpus=2), litgpt)


def test_the_findings_name_licences_of_parts():
    unsloth = check(Requirements(license="permissive"), Candidate("unslothai/unsloth", "unsloth"))
    assert "AGPL-3.0" in unsloth["licence-of-a-part"].text
    assert unsloth["licence-of-a-part"].verdict == "warn"
    axolotl = check(Requirements(license="permissive"), Candidate("axolotl-ai-cloud/axolotl", "axolotl"))
    assert "src/axolotl/integrations/LICENSE.md" in axolotl["licence-of-a-part"].text
    assert "licence-of-a-part" not in check(Requirements(license="permissive"))


def test_capabilities_have_evidence_and_libraries_without_a_file_are_unknown(tmp_path):
    assert len(LIBRARIES) == 5
    for library in LIBRARIES.values():
        for entry in (*library.capability, *library.licences):
            assert entry.path and entry.shows
        assert {"full", "lora", "qlora"} <= {c.name for c in library.capability}
    assert check(Requirements(method="qlora"), Candidate("nobody/knows", "knows")) == {}
    (tmp_path / "capabilities").mkdir()
    (tmp_path / "capabilities" / "x.toml").write_text('["a/b"]\ncommit = "short"\n')
    with pytest.raises(ConfigError, match="commit"):
        load_capabilities("x", tmp_path)
    assert load_capabilities("none", tmp_path) == {}


def entry(answer, name):
    return next(r for r in answer.ranking if r.candidate.name == name)


def test_no_requirements_change_nothing():
    assert recommend(requirements=Requirements()) == recommend()
    assert recommend().requirement_notes == ()


def test_the_notes_say_what_avoiding_and_preferring_cost():
    baseline = recommend()
    avoided = recommend(requirements=Requirements(avoid=("company",)))
    assert entry(avoided, "trl").excluded and entry(avoided, "trl").score == entry(baseline, "trl").score
    assert avoided.choice != baseline.choice
    assert any("points: without them trl" in text for text in avoided.requirement_notes)
    preferred = recommend(requirements=Requirements(prefer=("start-up",)))
    assert entry(preferred, preferred.choice.split("/")[1]).candidate.backer_kind == "start-up"
    assert not entry(preferred, "trl").excluded
    same = recommend(requirements=Requirements(prefer=("company",)))
    assert same.choice == baseline.choice
    assert any("the requirements cost nothing" in text for text in same.requirement_notes)
    none = recommend(requirements=Requirements(prefer=("university",)))
    assert none.choice == baseline.choice
    assert any(
        "no remaining candidate has a backer of the kind university" in text
        for text in none.requirement_notes
    )


def test_model_support_is_that_of_the_day():
    then = recommend(as_of=date(2024, 8, 1), requirements=Requirements(model="google/gemma-2-9b"))
    assert entry(then, "torchtune").excluded
    assert not entry(then, "unsloth").excluded
    later = recommend(as_of=date(2024, 12, 1), requirements=Requirements(model="google/gemma-2-9b"))
    assert "torchtune/models/gemma2" in " ".join(f.text for f in entry(later, "torchtune").findings)


def test_the_notes_name_capabilities_that_are_unknown_on_that_day():
    then = recommend(as_of=date(2024, 8, 1), requirements=Requirements(method="qlora", gpu_memory_gib=24))
    assert "no data on qlora support for any candidate" in then.requirement_notes
    note = "cannot check whether it fits into 24 GiB: name a model whose name contains its size"
    assert note in then.requirement_notes


def test_a_model_that_is_too_big_excludes_all_and_the_notes_say_why():
    answer = recommend(
        requirements=Requirements(model="meta-llama/Llama-3.1-70B", method="full", gpu_memory_gib=24)
    )
    assert answer.choice is None
    assert any("1,043 GiB" in text for text in answer.requirement_notes)


def test_the_command_takes_all_requirements():
    run = subprocess.run(
        [sys.executable, "-m", "advisor", "rank", "--model", "google/gemma-2-9b", "--method", "qlora", "--gpu-memory",
         "24GB", "--gpus", "1", "--license", "permissive", "--avoid", "big-tech", "--prefer", "community"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "your requirements:" in run.stdout
    assert "its command line (unsloth_cli): AGPL-3.0-only" in run.stdout
    assert re.search(
        r"weights and optimizer of google/gemma-2-9b need [\d.]+ of 24.0 GiB \(9 billion parameters",
        run.stdout,
    )
    failure = subprocess.run([sys.executable, "-m", "advisor", "rank", "--gpu-memory", "lots"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (failure.returncode, failure.stderr.count("\n")) == (2, 1)


def test_scores_do_not_depend_on_requirements():
    baseline = {r.candidate.repository: r.score for r in recommend().ranking}
    answer = recommend(requirements=Requirements(method="qlora", gpus=2, license="permissive"))
    assert {r.candidate.repository: r.score for r in answer.ranking} == baseline
    assert replace(answer.ranking[0], findings=()).criteria == recommend().ranking[0].criteria
