"""What a user asks for becomes rules and reasons; what is not known is said."""

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
    memory_values,
    parameters_by_name,
    parse_memory,
    values_for,
)
from advisor.domain.capabilities import Capability, Library, Licence, load_capabilities
from advisor.domain.files import data_folder
from advisor.errors import ConfigError, InputError
from advisor.model import Candidate

RULES = rules.load_rules(data_folder() / "rules" / "requirements.toml", NAMES)
LIBRARIES = load_capabilities("finetuning")
META = Candidate("pytorch/torchtune", "torchtune", backer="Meta", backer_kind="big tech")


def fired(needs, candidate=META, support=None):
    known = values_for(candidate, needs, LIBRARIES.get(candidate.repository), support)
    found, _ = rules.judge(RULES, {**rules.values_of(candidate, {}), **known})
    return {f.rule: f for f in found}


@pytest.mark.parametrize(("name", "billions"), [
    ("google/gemma-2-9b", 9), ("Qwen/Qwen2.5-0.5B-Instruct", 0.5), ("mistralai/Mixtral-8x7B-v0.1", 56),
    ("HuggingFaceTB/SmolLM2-135M", 0.135), ("microsoft/phi-4", None), ("Qwen3-30B-A3B", 30), ("x/y-4bit", None),
    ("7b/none", None), ("a/x-1.5b-7b", 7), ("a/m-8x1.5b", 12), ("a/m-8x22bit", None), ("y3b", None), ("a/b/y-2b", 2),
])  # fmt: skip
def test_parameters_by_name(name, billions):
    assert parameters_by_name(name) == (pytest.approx(billions) if billions else None)


def test_memory_by_hand():
    # 16, 2 and 4.127/8 bytes a parameter; what fits to the last byte fits
    for method, size in (("full", 16), ("lora", 2), ("qlora", 4.126953125 / 8)):
        just = Requirements(model="x/y-1b", method=method, gpu_memory_gib=1e9 * size / 2**30)
        assert memory_values(just)["fits"] == "yes"
        assert memory_values(replace(just, gpu_memory_gib=just.gpu_memory_gib * 0.999))["fits"] == "no"
    # 65 billion at 4.127 bits are 31.2 GiB, the figure of the QLoRA paper's arithmetic
    found = memory_values(Requirements(model="x/llama-65b", method="qlora", gpu_memory_gib=48))
    assert found["memory_needed_gib"] == pytest.approx(65e9 * 4.126953125 / 8 / 2**30, abs=0.05)
    assert found["fits"] == "yes"
    assert memory_values(Requirements(model="x/llama-65b", method="lora", gpu_memory_gib=48))["fits"] == "no"
    assert (
        memory_values(Requirements(model="x/llama-65b", method="lora", gpu_memory_gib=48, gpus=4))["fits"]
        == "yes"
    )
    assert memory_values(Requirements(model="microsoft/phi-4", method="lora", gpu_memory_gib=48)) == {}


@pytest.mark.parametrize(("text", "gib"), [("24GB", 24), ("24 GiB", 24), ("80", 80), (" 11.5g ", 11.5)])
def test_memory_as_people_write_it(text, gib):
    assert parse_memory(text) == gib


KINDS_AS_WRITTEN = (
    "big-tech, company, start-up, foundation, university, research-institute, community, individual"
)


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda: parse_memory("much GB"), "'much GB' is no amount of memory; write it as 24GB"),
    (lambda: parse_memory("24GB or so"), "'24GB or so' is no amount of memory; write it as 24GB"),
    (lambda: Requirements(method="dora2"), "method 'dora2' is not known; choose one of full, lora, qlora"),
    (lambda: Requirements(license="mit"), "license 'mit' is not known; choose one of permissive"),
    (lambda: Requirements(avoid=("bigtech",)),
     f"kind of backer 'bigtech' is not known; choose one of {KINDS_AS_WRITTEN}"),
    (lambda: Requirements(prefer=("company", "x")),
     f"kind of backer 'x' is not known; choose one of {KINDS_AS_WRITTEN}"),
    (lambda: Requirements(gpus=0), "gpus is 0; it must be above 0"),
    (lambda: Requirements(gpu_memory_gib=-1), "gpu memory is -1; it must be above 0"),
])  # fmt: skip
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as told:
        wrong()
    assert str(told.value) == said


def test_the_least_that_can_be_asked_is_asked():
    assert not Requirements()
    assert Requirements(gpus=1) and Requirements(gpu_memory_gib=0.5) and Requirements(avoid=("Start-up",))


def test_every_value_that_the_rules_may_ask_of_a_candidate():
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
    needs = Requirements("x/y-8b", "qlora", 24.0, 2, "permissive", avoid=("company",), prefer=("Big Tech",))
    support = ModelSupport("Y", None, "not by then")
    asked = {
        "memory_needed_gib": 3.8, "memory_there_gib": 48.0, "fits": "yes",
        "memory_evidence": "8 billion parameters by its name, 0.516 bytes each",
        "wanted_model": "x/y-8b", "wanted_method": "qlora", "wanted_gpus": 2, "wanted_license": "permissive",
        "wanted_family": "Y", "serves_model": "no", "model_evidence": "not by then",
        "kind_is_avoided": "no", "kind_is_preferred": "yes",
    }  # fmt: skip
    known = {
        "can_method": "no", "method_evidence": "not qlora (qlora.py at 012345678)",
        "can_gpus": "no", "gpus_evidence": "not multi_gpu_qlora (multi_gpu_qlora.py at 012345678)",
        "licence": "permissive", "licence_evidence": "permissive-1 (all/LICENSE at 012345678)",
        "licence_of_parts": "copyleft",
        "parts_evidence": "gui: copyleft-1 (gui/LICENSE); models: restricted-1 (models/LICENSE)",
    }  # fmt: skip
    assert values_for(META, needs, library, support) == {**asked, **known}
    assert set(NAMES) == set(asked) | set(known)
    assert values_for(META, needs, None, support) == asked
    lora = values_for(META, Requirements(method="lora", gpus=2), library, None)
    assert lora == {
        "wanted_method": "lora", "can_method": "yes", "method_evidence": "does lora (lora.py at 012345678)",
        "wanted_gpus": 2, "can_gpus": "yes", "gpus_evidence": "does multi_gpu (multi_gpu.py at 012345678)",
    }  # fmt: skip
    whole = library.model_copy(update={"licences": library.licences[:1]})
    assert values_for(META, Requirements(license="permissive", gpus=1), whole, None) == {
        "wanted_license": "permissive", "licence": "permissive", "licence_of_parts": "permissive",
        "licence_evidence": "permissive-1 (all/LICENSE at 012345678)",
    }  # fmt: skip
    unbacked = Candidate("a/b", "b")
    assert values_for(unbacked, Requirements(avoid=("company",)), None, None) == {}
    served = values_for(unbacked, Requirements(), None, ModelSupport("Y", date(2026, 1, 1), "since"))
    assert served["serves_model"] == "yes"


def test_a_kind_may_be_written_with_hyphens():
    assert (
        fired(Requirements(avoid=("big-tech",)))["backer-avoided"].text == "you avoid backers of the kind big tech, and its backer is Meta"
    )
    assert fired(Requirements(avoid=("community",))) == {}
    assert "backer-preferred" in fired(Requirements(prefer=("Big Tech",)))


def test_a_model_that_is_not_there_excludes_and_an_unknown_one_does_not():
    needs = Requirements(model="google/gemma-2-9b")
    assert (
        fired(needs, support=ModelSupport("Gemma 2", None, "not by 2024-07-01"))["model-not-served"].verdict
        == "exclude"
    )
    assert (
        "2024-11-08"
        in fired(needs, support=ModelSupport("Gemma 2", date(2024, 11, 8), "since 2024-11-08"))[
            "model-served"
        ].text
    )
    assert fired(needs) == {}


def test_litgpt_refuses_qlora_on_two_gpus_and_evidence_names_the_file():
    litgpt = Candidate("Lightning-AI/litgpt", "litgpt")
    assert "one-gpu-only" not in fired(Requirements(method="qlora", gpus=1), litgpt)
    text = fired(Requirements(method="qlora", gpus=2), litgpt)["one-gpu-only"].text
    assert "litgpt/finetune/lora.py at 26857050f" in text
    assert "many-gpus" in fired(Requirements(method="lora", gpus=2), litgpt)


def test_the_licences_of_parts_are_named():
    unsloth = fired(Requirements(license="permissive"), Candidate("unslothai/unsloth", "unsloth"))
    assert "AGPL-3.0" in unsloth["licence-of-a-part"].text
    assert unsloth["licence-of-a-part"].verdict == "warn"
    axolotl = fired(Requirements(license="permissive"), Candidate("axolotl-ai-cloud/axolotl", "axolotl"))
    assert "src/axolotl/integrations/LICENSE.md" in axolotl["licence-of-a-part"].text
    assert "licence-of-a-part" not in fired(Requirements(license="permissive"))


def test_capabilities_have_evidence_and_libraries_without_a_file_are_unknown(tmp_path):
    assert len(LIBRARIES) == 5
    for library in LIBRARIES.values():
        for entry in (*library.capability, *library.licences):
            assert entry.path and entry.shows
        assert {"full", "lora", "qlora"} <= {c.name for c in library.capability}
    assert fired(Requirements(method="qlora"), Candidate("nobody/knows", "knows")) == {}
    (tmp_path / "capabilities").mkdir()
    (tmp_path / "capabilities" / "x.toml").write_text('["a/b"]\ncommit = "short"\n')
    with pytest.raises(ConfigError, match="commit"):
        load_capabilities("x", tmp_path)
    assert load_capabilities("none", tmp_path) == {}


def ranked(answer, name):
    return next(r for r in answer.ranking if r.candidate.name == name)


def test_nothing_asked_changes_nothing():
    assert recommend(requirements=Requirements()) == recommend()
    assert recommend().asked == ()


def test_avoiding_and_preferring_say_what_they_cost():
    free = recommend()
    avoided = recommend(requirements=Requirements(avoid=("company",)))
    assert ranked(avoided, "trl").excluded and ranked(avoided, "trl").score == ranked(free, "trl").score
    assert avoided.choice != free.choice
    assert any("points: without it trl" in text for text in avoided.asked)
    liked = recommend(requirements=Requirements(prefer=("start-up",)))
    assert ranked(liked, liked.choice.split("/")[1]).candidate.backer_kind == "start-up"
    assert not ranked(liked, "trl").excluded
    same = recommend(requirements=Requirements(prefer=("company",)))
    assert same.choice == free.choice
    assert any("costs nothing" in text for text in same.asked)
    none = recommend(requirements=Requirements(prefer=("university",)))
    assert none.choice == free.choice
    assert any("none of the candidates" in text for text in none.asked)


def test_a_model_is_asked_of_the_facts_as_of_the_day():
    then = recommend(as_of=date(2024, 8, 1), requirements=Requirements(model="google/gemma-2-9b"))
    assert ranked(then, "torchtune").excluded
    assert not ranked(then, "unsloth").excluded
    later = recommend(as_of=date(2024, 12, 1), requirements=Requirements(model="google/gemma-2-9b"))
    assert "torchtune/models/gemma2" in " ".join(f.text for f in ranked(later, "torchtune").findings)


def test_capabilities_of_a_later_commit_are_unknown_and_said_to_be():
    then = recommend(as_of=date(2024, 8, 1), requirements=Requirements(method="qlora", gpu_memory_gib=24))
    assert "not known of any candidate: whether it does qlora" in then.asked
    assert any("without a model whose name gives its size" in text for text in then.asked)


def test_too_big_is_nothing_suitable_with_the_arithmetic():
    answer = recommend(
        requirements=Requirements(model="meta-llama/Llama-3.1-70B", method="full", gpu_memory_gib=24)
    )
    assert answer.choice is None
    assert any("1,043 GiB" in text for text in answer.asked)


def test_the_command_takes_it_all():
    run = subprocess.run(
        [sys.executable, "-m", "advisor", "rank", "--model", "google/gemma-2-9b", "--method", "qlora", "--gpu-memory",
         "24GB", "--gpus", "1", "--license", "permissive", "--avoid", "big-tech", "--prefer", "community"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "what you asked for:" in run.stdout
    assert "its command line (unsloth_cli): AGPL-3.0-only" in run.stdout
    assert re.search(
        r"weights and optimizer of google/gemma-2-9b take [\d.]+ of 24.0 GiB \(9 billion parameters",
        run.stdout,
    )
    wrong = subprocess.run([sys.executable, "-m", "advisor", "rank", "--gpu-memory", "lots"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_scores_do_not_depend_on_what_was_asked():
    free = {r.candidate.repository: r.score for r in recommend().ranking}
    asked = recommend(requirements=Requirements(method="qlora", gpus=2, license="permissive"))
    assert {r.candidate.repository: r.score for r in asked.ranking} == free
    assert replace(asked.ranking[0], findings=()).criteria == recommend().ranking[0].criteria
