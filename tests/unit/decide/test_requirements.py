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
    parse_memory,
    requirement_values,
)
from advisor.domain.capabilities import Capability, Library, Licence, load_capabilities
from advisor.domain.files import data_folder
from advisor.errors import ConfigError, InputError
from advisor.model import Candidate

RULES = rules.load_rules(data_folder() / "rules" / "requirements.toml", NAMES)
LIBRARIES = load_capabilities()
META = Candidate("pytorch/torchtune", "torchtune", backer="Meta", backer_kind="listed company")


def check(requirements, candidate=META, support=None):
    """Rule → its finding, of the rules that fire."""
    values = requirement_values(candidate, requirements, LIBRARIES.get(candidate.repository), support)
    findings, _ = rules.apply_rules(RULES, {**rules.rule_values(candidate, {}), **values})
    return {f.rule: f for f in findings}


KINDS = "listed-company, company, start-up, foundation, university, research-institute, community, individual"


@pytest.mark.parametrize(("call", "message"), [
    (lambda: parse_memory("much GB"), "invalid amount of memory 'much GB': write it as 24GB"),
    (lambda: parse_memory("24GB or so"), "invalid amount of memory '24GB or so': write it as 24GB"),
    (lambda: Requirements(method="dora2"), "unknown method 'dora2': choose one of full, lora, qlora, dpo, orpo, grpo, reward"),
    (lambda: Requirements(hardware="gpu"), "unknown hardware 'gpu': choose one of amd, apple, tpu, cpu"),
    (lambda: Requirements(license="gpl"), "unknown license 'gpl': choose one of permissive"),
    (lambda: Requirements(avoid=("bigtech",)),
     f"unknown kind of backer 'bigtech': choose one of {KINDS}"),
    (lambda: Requirements(prefer=("company", "x")),
     f"unknown kind of backer 'x': choose one of {KINDS}"),
    (lambda: Requirements(gpus=0), "invalid gpus 0: expected a number above 0, at most 100,000"),
    (lambda: Requirements(gpus=100_001), "invalid gpus 100001: expected a number above 0, at most 100,000"),
    (lambda: Requirements(gpu_memory_gib=-1), "invalid gpu memory -1: expected a number above 0, at most 10,000"),
    (lambda: Requirements(gpu_memory_gib=1e26), "invalid gpu memory 1e+26: expected a number above 0, at most 10,000"),
    (lambda: Requirements(avoid=("Listed Company",), prefer=("company", "listed-company")),
     "avoid and prefer both name listed-company: choose one of them"),
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
                    for name in ("lora", "multi_gpu", "amd")]
        + [Capability(name=name, can="no", path=f"{name}.py", shows="some", says=f"not {name}")
           for name in ("qlora", "multi_gpu_qlora")],
    )  # fmt: skip
    requirements = Requirements(
        "x/y-8b",
        "qlora",
        1.5,
        2,
        "permissive",
        avoid=("company",),
        prefer=("Listed Company",),
        hardware="amd",
    )
    support = ModelSupport("Y", None, "not by then")
    of_the_user = {
        "memory_needed_gib": 3.8, "memory_there_gib": 3.0, "fits": "unknown",
        "memory_evidence": "8 billion parameters, 0.516 bytes each",
        "wanted_hardware": "AMD GPUs",
        "wanted_model": "x/y-8b", "wanted_method": "qlora", "wanted_gpus": 2, "wanted_license": "permissive",
        "wanted_family": "Y", "serves_model": "no", "model_evidence": "not by then",
        "kind_is_avoided": "no", "kind_is_preferred": "yes",
    }  # fmt: skip
    of_the_library = {
        "can_method": "no", "method_evidence": "not qlora (qlora.py at 012345678)",
        "can_hardware": "yes", "hardware_evidence": "does amd (amd.py at 012345678)",
        "can_gpus": "no", "gpus_evidence": "not multi_gpu_qlora (multi_gpu_qlora.py at 012345678)",
        "licence": "permissive", "licence_evidence": "permissive-1 (all/LICENSE at 012345678)",
        "licence_of_parts": "copyleft",
        "parts_evidence": "gui: copyleft-1 (gui/LICENSE); models: restricted-1 (models/LICENSE)",
    }  # fmt: skip
    values = requirement_values(META, requirements, library, support, 8)
    assert values == {**of_the_user, **of_the_library}
    assert set(NAMES) == set(of_the_user) | set(of_the_library) | {"memory_recipe"}
    assert requirement_values(META, requirements, None, support, 8) == of_the_user
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
    loaded = ModelSupport("Y", date(2026, 1, 1), "since", is_loaded=True)
    assert requirement_values(without_backer, Requirements(), None, loaded)["serves_model"] == "loads"


def test_a_kind_may_have_hyphens():
    assert (
        check(Requirements(avoid=("listed-company",)))["backer-avoided"].text
        == "you avoid backers of the kind listed company, and its backer is Meta"
    )
    assert check(Requirements(avoid=("community",))) == {}
    assert "backer-preferred" in check(Requirements(prefer=("Listed Company",)))


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
    assert len(LIBRARIES) == 14
    for library in LIBRARIES.values():
        for entry in (*library.capability, *library.licences):
            assert entry.path and entry.shows
        names = [c.name for c in library.capability]
        assert {"lora", "qlora", "dpo", "grpo", "multi_gpu"} <= set(names)
        assert len(names) == len(set(names))
    assert check(Requirements(method="qlora"), Candidate("nobody/knows", "knows")) == {}
    (tmp_path / "capabilities").mkdir()
    (tmp_path / "capabilities" / "x.toml").write_text('["a/b"]\ncommit = "short"\n')
    with pytest.raises(ConfigError, match="commit"):
        load_capabilities(tmp_path)
    assert load_capabilities(tmp_path / "none") == {}


def entry(answer, name):
    return next(r for r in answer.ranking if r.candidate.name == name)


def test_no_requirements_change_nothing():
    assert recommend(requirements=Requirements()) == recommend()
    assert recommend().requirement_notes == ()


def test_the_notes_say_what_avoiding_and_preferring_cost():
    baseline = recommend()
    avoided = recommend(requirements=Requirements(avoid=("start-up",)))
    ours, before = entry(avoided, "unsloth"), entry(baseline, "unsloth")
    assert ours.excluded and ours.score == before.score
    assert avoided.choice != baseline.choice
    assert any("points: without them unsloth" in text for text in avoided.requirement_notes)
    preferred = recommend(requirements=Requirements(prefer=("company",)))
    assert entry(preferred, preferred.choice.split("/")[1]).candidate.backer_kind == "company"
    assert not entry(preferred, "unsloth").excluded
    same = recommend(requirements=Requirements(prefer=("start-up",)))
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
    note = "cannot check whether it fits into 24 GiB: name a model whose size is known"
    assert note in then.requirement_notes


def test_a_model_that_is_too_big_excludes_all_and_the_notes_say_why():
    answer = recommend(
        requirements=Requirements(model="meta-llama/Llama-3.1-405B", method="full", gpu_memory_gib=2)
    )
    assert answer.choice is None
    assert any("every known recipe keeps at least 2.95 GiB" in text for text in answer.requirement_notes)


def test_full_training_of_8b_on_a_gpu_of_24_gib_is_tight_and_not_excluded():
    requirements = Requirements(model="meta-llama/Llama-3.1-8B", method="full", gpu_memory_gib=24)
    answer = recommend(requirements=requirements)
    assert answer.choice is not None
    warnings = {f.rule: f.text for f in entry(answer, "trl").findings}
    assert "119.2 GiB" in warnings["tight-memory"]
    assert "DeepSpeed keeps weights and optimizer in CPU memory" in warnings["tight-memory"]
    assert "unknown-memory" in {f.rule for f in entry(answer, "unsloth").findings}
    assert answer.choice == "unslothai/unsloth"
    assert answer.certainty == "leaning"  # it comes first in over 80 % of the weightings, but may not fit
    assert answer.open_questions == ("whether meta-llama/Llama-3.1-8B fits into 24 GiB",)
    (note,) = answer.requirement_notes
    assert note.startswith(
        "no data on whether meta-llama/Llama-3.1-8B fits into 24 GiB for unsloth, litgpt; "
    )
    assert note.endswith("; trl, axolotl can keep less on the GPUs")
    smaller = recommend(requirements=replace(requirements, gpu_memory_gib=12))
    assert "too-big" in {f.rule for f in entry(smaller, "litgpt").findings}  # it has no option to offload


def test_a_mixture_counts_all_its_experts():
    answer = recommend(
        requirements=Requirements(model="mistralai/Mixtral-8x7B-v0.1", method="qlora", gpu_memory_gib=24)
    )
    assert any("46.7 billion parameters" in text for text in answer.requirement_notes)


@pytest.mark.parametrize(("model", "families"), [
    ("qwen", ("Qwen,", "Qwen2.5", "Qwen3-VL")), ("Llama", ("Llama 2", "Llama 3.2 Vision")),
    ("google/gemma", ("Gemma,", "Gemma 3n")), ("Mistral", ("Mistral 7B", "Mistral Small 4")),
])  # fmt: skip
def test_an_ambiguous_model_asks_which(model, families):
    with pytest.raises(InputError, match=f"ambiguous model '{model}'") as raised:
        recommend(requirements=Requirements(model=model))
    assert all(family in str(raised.value) for family in families)


def test_an_unknown_model_lowers_the_certainty_and_shows_near_names():
    baseline = recommend()
    answer = recommend(requirements=Requirements(model="Qwen/Quen2.5-7B"))
    assert answer.choice == baseline.choice
    assert answer.certainty != "clear"
    assert answer.open_questions == ("Qwen/Quen2.5-7B support",)
    notes = " ".join(answer.requirement_notes)
    assert "is not a model of a tracked family" in notes
    assert "Qwen/Qwen2.5-7B" in notes
    assert "cost nothing" not in notes


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen2.5-VL-72B", "qwen2_5_vl"])
def test_a_model_that_reads_images_is_not_its_namesake(model):
    answer = recommend(requirements=Requirements(model=model))
    texts = " ".join(f.text for r in answer.ranking for f in r.findings)
    assert "(Qwen2.5-VL)" in texts
    assert "(Qwen2.5)" not in texts


def test_weights_with_their_own_code_are_not_a_no():
    answer = recommend(requirements=Requirements(model="Qwen/Qwen-7B"))
    assert "model-not-served" not in {f.rule for f in entry(answer, "trl").findings}
    assert "model-not-served" in {f.rule for f in entry(answer, "litgpt").findings}
    assert any("bring their own code" in text for text in answer.requirement_notes)


def test_requirements_about_training_are_refused_in_other_domains():
    for requirements in (
        Requirements(method="qlora"),
        Requirements(model="google/gemma-2-9b"),
        Requirements(gpus=2),
    ):
        with pytest.raises(InputError, match="cannot be used with the domain web-frameworks"):
            recommend("web-frameworks", requirements=requirements)
    assert recommend("web-frameworks", requirements=Requirements(avoid=("start-up",))).choice


def test_methods_and_hardware_exclude_and_are_shown():
    answer = recommend(requirements=Requirements(method="dpo", hardware="amd"))
    assert "method-missing" in {f.rule for f in entry(answer, "litgpt").findings}
    rules_of_unsloth = {f.rule for f in entry(answer, "unsloth").findings}
    assert {"method-there", "hardware-there"} <= rules_of_unsloth
    tpu = recommend(requirements=Requirements(hardware="tpu"))
    assert "TPUs" in {f.rule: f.text for f in entry(tpu, "litgpt").findings}["hardware-there"]
    apple = recommend(requirements=Requirements(hardware="apple"))
    assert entry(apple, "axolotl").excluded and not entry(apple, "unsloth").excluded


def test_capitals_do_not_matter_and_a_permissive_licence_stands_for_its_kind():
    written = Requirements(method="QLoRA", hardware="AMD", license="MIT", avoid=("Listed Company",))
    assert written == Requirements(
        method="qlora", hardware="amd", license="permissive", avoid=("listed-company",)
    )


def test_the_command_takes_all_requirements():
    run = subprocess.run(
        [sys.executable, "-m", "advisor", "rank", "--model", "google/gemma-2-9b", "--method", "qlora", "--gpu-memory",
         "24GB", "--gpus", "1", "--license", "permissive", "--avoid", "listed-company", "--prefer", "community", "--full"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "your requirements:" in run.stdout
    assert "its command line (unsloth_cli): AGPL-3.0-only" in run.stdout
    assert re.search(
        r"weights and optimizer of google/gemma-2-9b need [\d.]+ of 24.0 GiB \(9 billion parameters",
        run.stdout,
    )
    unknown = subprocess.run([sys.executable, "-m", "advisor", "rank", "--model", "nobody/knows-3b"],
                             capture_output=True, text=True, check=False)  # fmt: skip
    assert unknown.returncode == 3
    assert "not checked for" in unknown.stderr
    assert "a clear choice" not in unknown.stdout
    failure = subprocess.run([sys.executable, "-m", "advisor", "rank", "--gpu-memory", "lots"],
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert (failure.returncode, failure.stderr.count("\n")) == (2, 1)


def test_scores_do_not_depend_on_requirements():
    baseline = {r.candidate.repository: r.score for r in recommend().ranking}
    answer = recommend(requirements=Requirements(method="qlora", gpus=2, license="permissive"))
    assert {r.candidate.repository: r.score for r in answer.ranking} == baseline
    assert replace(answer.ranking[0], findings=()).criteria == recommend().ranking[0].criteria
