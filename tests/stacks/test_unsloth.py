"""Tests of unsloth without an accelerator: it cannot be imported there, so they read its source."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from stack_cases import stack_python

from finetune.errors import UnsupportedField
from finetune.runners import unsloth_sft
from finetune.spec import compose_spec, resolve_spec
from finetune.stacks import Job, load_stack


@pytest.fixture
def layer(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config()))
    return {"stack": "unsloth", "model": {"base": str(tmp_path)}, "data": {"train": "x.jsonl"}}


def render_config(layer, gpus):
    import yaml

    spec = resolve_spec(compose_spec([("f", layer)]), gpus=gpus).spec
    run = Path("RUN")
    job = Job(run, run / "data", spec.model.base, None, steps=10, warmup_steps=1, rows=100, test_rows=0)
    return yaml.safe_load(load_stack("unsloth").render(spec, job).files["unsloth.yaml"])


def test_unsloth_without_a_gpu_is_refused_with_advice(layer):
    with pytest.raises(UnsupportedField, match=r"needs a GPU.*use trl here"):
        render_config(layer, gpus=0)


def test_precision_downgrade_is_an_error():
    layer = type("Linear4bit", (), {})
    model = type("Model", (), {"modules": lambda self: self.layers})
    plain, four_bit = model(), model()
    plain.layers, four_bit.layers = [object()], [object(), layer()]
    unsloth_sft.refuse_downgrade(plain, four_bits=False)
    unsloth_sft.refuse_downgrade(four_bit, four_bits=True)
    with pytest.raises(unsloth_sft.PrecisionDowngrade, match="no layer is quantised"):
        unsloth_sft.refuse_downgrade(plain, four_bits=True)
    with pytest.raises(unsloth_sft.PrecisionDowngrade, match="load_in_4bit is false"):
        unsloth_sft.refuse_downgrade(four_bit, four_bits=False)


def parameters(source, owner, function):
    """Return the names of a method's parameters, from the source."""
    tree = ast.parse(source.read_text())
    class_node = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == owner)
    method = next(n for n in class_node.body if isinstance(n, ast.FunctionDef) and n.name == function)
    return {one.arg for one in [*method.args.args, *method.args.kwonlyargs]}


def fields(source):
    """Return the names of the fields of all classes in a file."""
    if not source.is_file():
        return set()
    nodes = [n for n in ast.walk(ast.parse(source.read_text())) if isinstance(n, ast.AnnAssign)]
    return {n.target.id for n in nodes if isinstance(n.target, ast.Name)}


@pytest.mark.every_stack
def test_every_argument_of_the_config_exists_in_unsloth(layer):
    (site,) = stack_python("unsloth").parents[1].glob("lib/python*/site-packages")
    config = render_config(layer, gpus=1)
    loading = parameters(site / "unsloth" / "models" / "loader.py", "FastLanguageModel", "from_pretrained")
    assert set(config["from_pretrained"]) <= loading
    adapter = parameters(site / "unsloth" / "models" / "llama.py", "FastLlamaModel", "get_peft_model")
    assert set(config["get_peft_model"]) - {"use_dora"} <= adapter  # PEFT's LoraConfig gets this one
    known_fields = fields(site / "trl" / "trainer" / "sft_config.py") | fields(
        site / "transformers" / "training_args.py"
    )
    known_fields |= fields(site / "trl" / "trainer" / "base_config.py")
    assert set(config["sft"]) <= known_fields


# The three calls with every argument written out: a type checker cannot see what the runner passes as ``**``.
SCRIPT = """
import torch
from trl import SFTConfig, SFTTrainer
from unsloth import FastLanguageModel

model, tokenizer = FastLanguageModel.from_pretrained({from_pretrained})
model = FastLanguageModel.get_peft_model(model, {get_peft_model})
args = SFTConfig({sft})
trainer = SFTTrainer(model=model, processing_class=tokenizer, args=args)
trainer.train(resume_from_checkpoint={resume_from_checkpoint})
trainer.save_model("adapter")
reveal_type(FastLanguageModel)
"""


def script(config):
    def format_arguments(call):
        values = dict(config[call])
        dtype = {"dtype": f"torch.{values.pop('dtype')}"} if "dtype" in values else {}
        arguments = {name: repr(value) for name, value in values.items()} | dtype
        return ", ".join(f"{name}={value}" for name, value in arguments.items())

    calls = {call: format_arguments(call) for call in ("from_pretrained", "get_peft_model", "sft")}
    return SCRIPT.format(**calls, resume_from_checkpoint=config["resume_from_checkpoint"])


@pytest.mark.every_stack
def test_runner_and_its_calls_pass_a_type_checker_with_the_real_packages(layer, tmp_path):
    config = render_config(layer, gpus=1)
    (tmp_path / "right.py").write_text(script(config))
    # Two files, because the checker does not check a call with a wrong name further.
    for name, change in {
        "wrong_type.py": {"max_steps": "ten"},
        "wrong_name.py": {"learning_rates": 1.0},
    }.items():
        (tmp_path / name).write_text(script({**config, "sft": {**config["sft"], **change}}))
    runner = Path(unsloth_sft.__file__)
    home = stack_python("unsloth").parents[1]
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({
        "include": ["right.py", "wrong_type.py", "wrong_name.py", str(runner)],
        "extraPaths": [str(runner.parents[2])],
        "venvPath": str(home.parent), "venv": home.name, "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "reportPrivateImportUsage": "none",  # trl exports its names lazily; its documentation uses them so
    }))  # fmt: skip
    process = subprocess.run(
        [str(Path(sys.executable).with_name("basedpyright")), "--outputjson", "-p", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    diagnostics = json.loads(process.stdout)["generalDiagnostics"]
    messages = {"right.py": [], "wrong_type.py": [], "wrong_name.py": [], runner.name: []}
    for one in diagnostics:
        messages[Path(one["file"]).name].append((one["severity"], one["message"]))
    errors = {
        name: [text for severity, text in texts if severity == "error"] for name, texts in messages.items()
    }
    assert errors["right.py"] == errors[runner.name] == []
    types = [text for severity, text in messages["right.py"] if severity == "information"]
    assert any("FastLanguageModel" in text and "Unknown" not in text for text in types), types
    assert any("max_steps" in text and "int" in text for text in errors["wrong_type.py"]), errors
    assert any("learning_rates" in text for text in errors["wrong_name.py"]), errors


def test_runner_passes_each_part_of_the_config_to_its_call(layer):
    """Works without unsloth's packages: it parses the script."""
    tree = ast.parse(Path(unsloth_sft.__file__).read_text())
    keywords = {
        ast.unparse(call.func): ast.unparse(keyword.value)
        for call in ast.walk(tree) if isinstance(call, ast.Call)
        for keyword in call.keywords if keyword.arg is None
    }  # fmt: skip
    assert keywords == {
        "FastLanguageModel.from_pretrained": "loading",
        "FastLanguageModel.get_peft_model": "settings['get_peft_model']",
        "SFTConfig": "settings['sft']",
    }
    assert set(render_config(layer, gpus=1)) == {
        "from_pretrained",
        "get_peft_model",
        "sft",
        "resume_from_checkpoint",
    }
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {(node.module, name.name) for node in imports for name in node.names}
    assert {("unsloth", "FastLanguageModel"), ("trl", "SFTConfig"), ("trl", "SFTTrainer")} <= names
    (train,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "train"]
    first = next(n for n in ast.walk(train) if isinstance(n, ast.Import | ast.ImportFrom))
    assert isinstance(first, ast.ImportFrom) and first.module == "unsloth", (
        "it patches the modules that are imported later"
    )


@pytest.mark.every_stack
def test_start_on_a_cpu_ends_with_a_failed_event(layer, tmp_path):
    import yaml

    (tmp_path / "unsloth.yaml").write_text(yaml.safe_dump(render_config(layer, gpus=1)))
    process = subprocess.run(
        [str(stack_python("unsloth")), unsloth_sft.__file__, str(tmp_path / "unsloth.yaml"), str(tmp_path)],
        capture_output=True, text=True, check=False,
        # The torchvision wheel does not match a CPU build of torch; unsloth checks that before the
        # accelerator.
        env={**os.environ, "UNSLOTH_DISABLE_STATISTICS": "1", "UNSLOTH_SKIP_TORCHVISION_CHECK": "1"},
    )  # fmt: skip
    assert process.returncode == 1
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert last["kind"] == "other"
    assert "accelerator" in last["message"], "unsloth's own message"
