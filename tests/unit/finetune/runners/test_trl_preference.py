"""The loss of trl's trainers on our tokens is the published one, and so are the held-out figures."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import preferences_in_processes
import pytest
import tiny_model
import torch
from safetensors.torch import load_file
from torch.nn.functional import logsigmoid

from finetune import attempt, run, spec
from finetune.after import preferences
from finetune.after.evaluate import evaluate_run
from finetune.after.losses import score_rows
from finetune.data import dataset, preview
from finetune.data.encoded_row import EncodedRow, row_from_json
from finetune.errors import UnsupportedField
from finetune.plan.all_stacks import render_for_stacks
from finetune.process import launch
from finetune.record import Record, write_record
from finetune.runners import trl_preference
from finetune.runners.emit import IGNORE_INDEX, Emitter
from finetune.runners.stream import Stream
from finetune.sections import Method
from finetune.stacks import STACKS, Job, load_stack

# trl 1.16 still uses these names of transformers.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
BETA = 0.4
PROMPTS = [[5, 9, 11], [7, 8], [30, 31, 32, 33], [6, 10]]
ANSWERS = [([12, 13], [14]), ([15, 16, 17], [18, 19]), ([20], [21, 22, 23]), ([24, 25], [26, 27, 28])]


def encode(prompt, answer):
    return {"input_ids": prompt + answer, "labels": [IGNORE_INDEX] * len(prompt) + answer}


PAIRS = [
    {**encode(prompt, chosen), "rejected": encode(prompt, rejected)}
    for prompt, (chosen, rejected) in zip(PROMPTS, ANSWERS, strict=True)
]
LABELLED = [
    {**encode(prompt, pair[n % 2]), "is_desirable": n % 2 == 0}
    for n, (prompt, pair) in enumerate(zip(PROMPTS, ANSWERS, strict=True))
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model.model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def build_trainer(base, tmp_path):
    """Return a function that builds the runner's trainer with a random adapter."""

    def build(objective, rows):
        from datasets import Dataset
        from peft import LoraConfig
        from transformers import AutoTokenizer

        trainer_class, config_class, collate = trl_preference._choose_trainer(objective)
        trainer = trainer_class(
            model=str(base),
            args=config_class(
                output_dir=str(tmp_path), beta=BETA, remove_unused_columns=False, use_cpu=True, bf16=False,
                per_device_train_batch_size=4, report_to="none", activation_checkpointing=False,
            ),
            data_collator=lambda rows: collate(rows, 0),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(base),
            peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
        )  # fmt: skip
        torch.manual_seed(7)
        for name, weight in trainer.model.named_parameters():
            if "lora_" in name:
                weight.data.normal_(std=0.2)
        return trainer.model.train() and trainer

    return build


def sum_log_probabilities(model, row):
    """Return log p of the answer, with plain code."""
    ids = torch.tensor([row["input_ids"]])
    log_probabilities = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    return sum(log_probabilities[n - 1, row["input_ids"][n]] for n, label in enumerate(row["labels"]) if label != IGNORE_INDEX)  # fmt: skip


def compute_rewards(model, rows):
    own = torch.stack([sum_log_probabilities(model, row) for row in rows])
    with model.disable_adapter(), torch.no_grad():
        reference = torch.stack([sum_log_probabilities(model, row) for row in rows])
    return BETA * (own - reference)


def compute_plain_loss(model, objective, rows):
    """Return the loss of the papers: DPO, equation 7; KTO, equation 7; ORPO, equations 6 and 7."""
    if objective == "orpo":
        return compute_plain_orpo(model, rows)
    if objective == "dpo":
        margins = compute_rewards(model, rows) - compute_rewards(model, [row["rejected"] for row in rows])
        return -logsigmoid(margins).mean()
    others = [
        encode(row["input_ids"][: row["labels"].count(IGNORE_INDEX)], other["labels"][other["labels"].count(IGNORE_INDEX):])
        for row, other in zip(rows, [rows[-1], *rows[:-1]], strict=True)
    ]  # fmt: skip
    zero_point = compute_rewards(model, others).mean().clamp(min=0).detach()
    signs = torch.tensor([1.0 if row["is_desirable"] else -1.0 for row in rows])
    return (1 - torch.sigmoid(signs * (compute_rewards(model, rows) - zero_point))).mean()


def compute_plain_orpo(model, rows):
    """The authors count the prompt in the loss of the chosen answers, which is a mean over tokens."""
    whole_rows = [{**row, "labels": [IGNORE_INDEX, *row["input_ids"][1:]]} for row in rows]
    chosen_loss = -sum(sum_log_probabilities(model, row) for row in whole_rows)
    chosen_loss = chosen_loss / sum(len(row["input_ids"]) - 1 for row in rows)
    odds = []
    for side in (rows, [row["rejected"] for row in rows]):
        answers = [len(row["labels"]) - row["labels"].count(IGNORE_INDEX) for row in side]
        p = torch.stack(
            [sum_log_probabilities(model, row) / n for row, n in zip(side, answers, strict=True)]
        ).exp()
        odds.append(p / (1 - p))
    return chosen_loss - BETA * logsigmoid((odds[0] / odds[1]).log()).mean()


@pytest.mark.parametrize(("objective", "rows"), [("dpo", PAIRS), ("kto", LABELLED), ("orpo", PAIRS)])
def test_loss_gradient_and_figures_are_those_of_plain_code(build_trainer, base, tmp_path, objective, rows):
    trainer = build_trainer(objective, rows)
    model = trainer.model
    trained_weights = [weight for weight in model.parameters() if weight.requires_grad]
    plain_loss = compute_plain_loss(model, objective, rows)
    plain_gradients = torch.autograd.grad(plain_loss, trained_weights)
    loss = trainer.compute_loss(model, trainer.data_collator(rows))
    gradients = torch.autograd.grad(loss, trained_weights)
    untrained_loss = {"dpo": math.log(2), "kto": 0.5}.get(objective, 0.0)
    assert abs(loss.item() - untrained_loss) > 0.01, "the adapter does nothing"
    assert loss.item() == pytest.approx(plain_loss.item(), abs=1e-5)
    for gradient, plain_gradient in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(gradient, plain_gradient, atol=1e-5, rtol=1e-3)

    # The evaluator gives the same loss, and knows the reference.
    encoded_rows = [row_from_json(row) for row in rows]
    sequences = preferences.list_sequences(encoded_rows, objective)
    model.eval()
    own = [-total for total, _ in score_rows(model, sequences, 0)]
    with model.disable_adapter():
        reference = [-total for total, _ in score_rows(model, sequences, 0)]
    method = Method(objective=objective, beta=BETA)
    losses, figures = preferences.compare_models(encoded_rows, method, {"base": reference, "adapter": own})
    assert losses["adapter"] == pytest.approx(plain_loss.item(), abs=1e-5)
    with model.disable_adapter():
        plain_base = compute_plain_loss(model, "orpo", rows).item() if objective == "orpo" else untrained_loss
    assert losses["base"] == pytest.approx(plain_base, abs=1e-5)
    assert figures["adapter"]["margin"] == pytest.approx(
        figures["adapter"]["chosen_reward"] - figures["adapter"]["rejected_reward"]
    )
    trl_figures = trainer._metrics["train"]
    assert figures["adapter"]["margin"] == pytest.approx(trl_figures["rewards/margins"][0], abs=1e-5)
    if objective != "kto":
        assert figures["adapter"]["accuracy"] == trl_figures["rewards/accuracies"][0]

    # Four micro-batches of a last step with five rows weigh each row the same; fillers change nothing.
    trainer.args.per_device_train_batch_size, trainer.args.gradient_accumulation_steps = 4, 4
    emit = Emitter(tmp_path)
    emit.stream = Stream(rows, samples=5, steps=1, batch=16, seed=3)
    trl_preference.weigh_rows(trainer, emit)
    model.train()
    trl_figures.clear()
    batches = [[emit.stream[n] for n in range(start, start + 4)] for start in range(0, 16, 4)]
    step_loss = sum(trainer.compute_loss(model, trainer.data_collator(batch)) / 4 for batch in batches)
    plain_losses = [compute_plain_loss(model, objective, batch) for batch in (batches[0], batches[1][:1])]
    assert step_loss.item() == pytest.approx(((4 * plain_losses[0] + plain_losses[1]) / 5).item(), abs=1e-5)
    assert len(trl_figures["rewards/chosen"]) == 2 if objective != "kto" else True
    sides = [side for n in range(5) for side in row_from_json(emit.stream[n]).sides]
    assert (
        int(emit.tokens) == sum(len(side.input_ids) for side in sides) == emit.stream.count_work(1)["tokens"]
    )
    assert int(emit.trained_tokens) == emit.stream.count_work(1)["trained"]


def test_figures_of_odds_worked_out_by_hand():
    # Two answers of two tokens with p = 1/2 and 1/4 each, so odds of 1 and 1/3. All three tokens after the first
    # of the chosen row have -log p = 3 together.
    row = EncodedRow([1, 2, 3, 4], [-100, -100, 3, 4], EncodedRow([1, 2, 5, 6], [-100, -100, 5, 6]))
    values = [2 * math.log(1 / 2), 2 * math.log(1 / 4), -3.0]
    losses, figures = preferences.compare_models(
        [row], Method(objective="orpo", beta=0.5), {"adapter": values}
    )
    assert losses["adapter"] == pytest.approx(3 / 3 + 0.5 * math.log(1 + 1 / 3))
    assert figures["adapter"] == pytest.approx({
        "accuracy": 1.0, "margin": 0.5 * math.log(2), "chosen_reward": 0.5 * math.log(1 / 2),
        "rejected_reward": 0.5 * math.log(1 / 4),
    })  # fmt: skip


def test_figures_of_pairs_worked_out_by_hand():
    rows = [EncodedRow([1, 2], [-100, 2], EncodedRow([1, 3], [-100, 3])) for _ in range(2)]
    losses, figures = preferences.compare_models(
        rows,
        Method(objective="dpo", beta=0.5),
        {"base": [-2.0, -4.0, -3.0, -2.0], "adapter": [-1.0, -6.0, -3.0, -1.0]},
    )
    # margins: 0.5 x ((-1 + 2) - (-6 + 4)) = 1.5 and 0.5 x ((-3 + 3) - (-1 + 2)) = -0.5
    assert losses["adapter"] == pytest.approx((math.log1p(math.exp(-1.5)) + math.log1p(math.exp(0.5))) / 2)
    assert figures == {
        "base": {"likelier_chosen": 0.5},
        "adapter": {"accuracy": 0.5, "margin": 0.5, "chosen_reward": 0.25, "rejected_reward": -0.25,
                    "likelier_chosen": 0.5},
    }  # fmt: skip
    assert preferences.compare_models(rows, Method(objective="dpo"), {"adapter": [0.0] * 4}) == ({}, {})


@pytest.fixture
def plan_training(base, tmp_path, monkeypatch):
    """Return a function that plans a run on pairs of which the question says what is right."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answers = ["it is small .", "it is the sum of two ."]
    pairs = [
        {"prompt": f"what is {n} plus" if n % 2 else f"{n} and", "chosen": answers[n % 2], "rejected": answers[1 - n % 2]}
        for n in range(60)
    ]  # fmt: skip
    source = tiny_model.write(tmp_path / "pairs.jsonl", pairs)

    def plan(rate=0.01, **method):
        tables = {
            "model": {"base": str(base)}, "data": {"train": str(source), "max_length": 64}, "method": method,
            "training": {"learning_rate": rate, "batch_size": 8, "micro_batch_size": 4},
            "evaluation": {"generations": 0},
        }  # fmt: skip
        return run.plan_run(spec.compose_spec([("test", tables)]))

    return plan


@pytest.mark.parametrize(("objective", "method", "rate"), [
    ("kto", "lora", 0.01), ("dpo", "qlora", 0.01), ("dpo", "full", 0.002), ("orpo", "lora", 0.03),
    ("orpo", "qlora", 0.03),
])  # fmt: skip
def test_run_learns_its_preferences(plan_training, tmp_path, objective, method, rate):
    # The random model must learn the words from ORPO's loss of the chosen answers, beside the preference.
    beta = 5.0 if objective == "orpo" else 0.1
    plan, folder = plan_training(rate, objective=objective, name=method, beta=beta), tmp_path / "run"
    assert plan.data.rows == (2 * 54 if objective == "kto" else 54), "KTO takes a pair as two rows"
    (folder / "native").mkdir(parents=True)
    dataset.link_dataset(plan.data, folder / "data")
    job = attempt.build_local_job(plan.spec, plan.data, folder, None)
    for name, text in load_stack("trl").render(plan.spec, job).files.items():
        (job.native / name).write_text(text)
    trl_preference.train(job.native / f"{objective}.yaml", folder, Emitter(folder))
    fields = {"spec": plan.spec.model_dump(mode="json"), "origins": {}, "stack": "trl"}
    write_record(folder, Record(id="run", state="running", started="2026-01-01T00:00:00+00:00", **fields))
    result = evaluate_run(folder)
    suffix = "_quantised" if method == "qlora" else ""
    losses, figures = result["losses"], result["preferences"]["adapter" + suffix]
    if objective != "orpo":
        assert losses["base" + suffix] == pytest.approx(math.log(2) if objective == "dpo" else 0.5, abs=1e-6)
    assert losses["adapter" + suffix] < losses["base" + suffix] - 0.02
    assert figures["accuracy"] > 0.8
    assert figures["margin"] == pytest.approx(figures["chosen_reward"] - figures["rejected_reward"])
    last = [event for _, event in launch.read_events(folder)][-1]
    assert (last["tokens"], last["trained"]) == (last["planned_tokens"], last["planned_trained"])
    assert last["tokens"] == plan.data.summary["train_tokens"]


@pytest.fixture
def write_run(base, tmp_path):
    """Return a function that writes a run of ten rows: two whole steps, and one with two rows and two fillers."""

    def write(objective, processes):
        fields = {
            "model": {"base": str(base)}, "data": {"train": "d", "max_length": 32},
            "method": {"name": "lora", "r": 4, "objective": objective, "beta": BETA},
            "training": {"batch_size": 4, "micro_batch_size": 2, "dtype": "float32", "learning_rate": 0.01,
                         "epochs": 2.5, "gradient_checkpointing": False},
            "devices": {"kind": "cpu", "processes": processes},
        }  # fmt: skip
        run_spec = spec.RunSpec.model_validate(fields)
        folder = tmp_path / f"{objective}-{processes}"
        for name in ("data", "native", "work"):
            (folder / name).mkdir(parents=True)
        tiny_model.write(folder / "data" / "train.jsonl", LABELLED if objective == "kto" else PAIRS)
        job = Job(folder, folder / "data", str(base), None, steps=3, warmup_steps=0, rows=4, test_rows=0)
        for name, text in load_stack("trl").render(run_spec, job).files.items():
            (job.native / name).write_text(text)
        return folder

    return write


def test_two_processes_train_as_one(write_run):
    runs = {n: [write_run(objective, n) for objective in ("dpo", "orpo", "kto")] for n in (1, 2)}
    script = Path(preferences_in_processes.__file__)
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", str(script)]
    variables = {**os.environ, "PYTHONPATH": str(script.parents[2])}
    process = subprocess.run(
        [sys.executable, *command, *map(str, runs[2])],
        env=variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    for one, two in zip(*runs.values(), strict=True):
        (config,) = one.joinpath("native").glob("*.yaml")
        trl_preference.train(config, one, Emitter(one))
        ends = [[event for _, event in launch.read_events(run)][-1] for run in (one, two)]
        for end in ends:
            assert (end["tokens"], end["trained"]) == (end["planned_tokens"], end["planned_trained"])
        assert ends[0]["tokens"] == ends[1]["tokens"]
        adapter, other = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (one, two))
        difference = max(float((adapter[key] - other[key]).abs().max()) for key in adapter)
        # KTO compares with the other answers of all processes, which one process has not in memory.
        assert difference < (0.05 if config.stem == "kto" else 1e-6), config.stem


def test_plan_and_preview_know_preferences(plan_training):
    plan = plan_training(objective="dpo")
    assert list(plan.native_config.files) == ["dpo.yaml", "order.json"]
    assert "beta: 0.1\n" in plan.native_config.files["dpo.yaml"]
    tasks = {task.stack: task for task in render_for_stacks(plan)}
    assert tasks.keys() == set(STACKS)
    assert [name for name, task in tasks.items() if task.config] == ["trl"]
    place, row = plan.data.outcomes[0].place, next(plan.data.read_rows("train"))
    titles = [title for title, _ in preview.split_sides(place, row, plan.tokenizer)]
    assert titles == [f"{place}, chosen", f"{place}, rejected"]
    page = preview.render_html("t", preview.split_sides(place, row, plan.tokenizer), (), plan.data, 64)
    assert f"<b>Row {place}, rejected</b>" in page


@pytest.mark.parametrize("name", [name for name in STACKS if name != "trl"])
def test_other_stacks_refuse_preferences_with_the_reason(plan_training, name):
    plan = plan_training(objective="kto")
    gpu = spec.override_fields(
        plan.composed_spec, "test", {"devices.kind": "cuda", "training.dtype": "bfloat16"}
    )
    job = attempt.build_job(gpu.spec, plan.data, Path("RUN"), None)
    with pytest.raises(
        UnsupportedField, match=r"does not support method\.objective = 'kto': .*; use --stack trl"
    ):
        load_stack(name).render(gpu.spec, job)


@pytest.mark.parametrize(("field", "value"), [
    ("method.name", "ia3"), ("method.dropout", 0.1), ("data.packing", True), ("method.targets", ["lm_head"]),
    ("training.micro_batch_size", 1),
])  # fmt: skip
def test_trl_refuses_what_its_trainers_cannot_do(plan_training, field, value):
    plan = plan_training(objective="kto")
    changed_spec = spec.override_fields(plan.composed_spec, "test", {field: value}).spec
    with pytest.raises(UnsupportedField, match=field.replace(".", r"\.")):
        load_stack("trl").render(changed_spec, attempt.build_job(changed_spec, plan.data, Path("RUN"), None))
    assert json.loads(plan.native_config.files["order.json"])["samples"] == plan.data.rows
