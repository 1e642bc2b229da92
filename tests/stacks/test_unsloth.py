"""unsloth to its edge: without an accelerator it cannot be imported, so its sources are read instead."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from stack_cases import python_of

from finetune.errors import UnsupportedField
from finetune.runners import unsloth_sft
from finetune.spec import compose, resolve
from finetune.stacks import Job, stack

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.fixture
def asked(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(tiny_model.config()))
    return {"stack": "unsloth", "model": {"base": str(tmp_path)}, "data": {"train": "x.jsonl"}}


def rendered(asked, gpus):
    import yaml

    spec = resolve(compose([("f", asked)]), gpus=gpus).spec
    run = Path("RUN")
    job = Job(run, run / "data", spec.model.base, None, steps=10, warmup_steps=1, rows=100, test_rows=0)
    return yaml.safe_load(stack("unsloth").render(spec, job).files["unsloth.yaml"])


def test_without_a_gpu_it_is_refused_with_what_to_do(asked):
    with pytest.raises(UnsupportedField, match=r"GPUs alone.*take trl here"):
        rendered(asked, gpus=0)


def test_a_downgrade_is_noticed():
    layer = type("Linear4bit", (), {})
    model = type("Model", (), {"modules": lambda self: self.held})
    whole, quantised = model(), model()
    whole.held, quantised.held = [object()], [object(), layer()]
    unsloth_sft.refuse_downgrade(whole, four_bits=False)
    unsloth_sft.refuse_downgrade(quantised, four_bits=True)
    with pytest.raises(unsloth_sft.Downgraded, match="no layer is quantised"):
        unsloth_sft.refuse_downgrade(whole, four_bits=True)
    with pytest.raises(unsloth_sft.Downgraded, match="16 bits were asked for"):
        unsloth_sft.refuse_downgrade(quantised, four_bits=False)


def parameters(source, owner, function):
    """Names of a method's parameters, out of the source."""
    tree = ast.parse(source.read_text())
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == owner)
    method = next(n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == function)
    return {one.arg for one in [*method.args.args, *method.args.kwonlyargs]}


def fields(source):
    """Names of the fields of all classes of a file."""
    if not source.is_file():
        return set()
    found = [n for n in ast.walk(ast.parse(source.read_text())) if isinstance(n, ast.AnnAssign)]
    return {n.target.id for n in found if isinstance(n.target, ast.Name)}


@pytest.mark.every_stack
def test_every_argument_that_we_name_exists_in_unsloth(asked):
    (site,) = python_of("unsloth").parents[1].glob("lib/python*/site-packages")
    told = rendered(asked, gpus=1)
    loading = parameters(site / "unsloth" / "models" / "loader.py", "FastLanguageModel", "from_pretrained")
    assert set(told["from_pretrained"]) <= loading
    adapter = parameters(site / "unsloth" / "models" / "llama.py", "FastLlamaModel", "get_peft_model")
    assert set(told["get_peft_model"]) - {"use_dora"} <= adapter  # goes on to PEFT's LoraConfig
    known = fields(site / "trl" / "trainer" / "sft_config.py") | fields(
        site / "transformers" / "training_args.py"
    )
    known |= fields(site / "trl" / "trainer" / "base_config.py")
    assert set(told["sft"]) <= known


# The three calls with every argument spelled out: what the runner passes as ``**`` a type checker cannot see.
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


def script(told):
    def words(call):
        given = dict(told[call])
        dtype = {"dtype": f"torch.{given.pop('dtype')}"} if "dtype" in given else {}
        told_out = {name: repr(value) for name, value in given.items()} | dtype
        return ", ".join(f"{name}={value}" for name, value in told_out.items())

    calls = {call: words(call) for call in ("from_pretrained", "get_peft_model", "sft")}
    return SCRIPT.format(**calls, resume_from_checkpoint=told["resume_from_checkpoint"])


@pytest.mark.every_stack
def test_the_runner_and_its_calls_pass_a_type_checker_with_the_real_packages(asked, tmp_path):
    told = rendered(asked, gpus=1)
    (tmp_path / "right.py").write_text(script(told))
    # Two files, for a call with a wrong name is not looked at further.
    for name, change in {
        "wrong_type.py": {"max_steps": "ten"},
        "wrong_name.py": {"learning_rates": 1.0},
    }.items():
        (tmp_path / name).write_text(script({**told, "sft": {**told["sft"], **change}}))
    runner = Path(unsloth_sft.__file__)
    home = python_of("unsloth").parents[1]
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({
        "include": ["right.py", "wrong_type.py", "wrong_name.py", str(runner)],
        "extraPaths": [str(runner.parents[2])],
        "venvPath": str(home.parent), "venv": home.name, "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "reportPrivateImportUsage": "none",  # trl gives its names out lazily, as its documents use them
    }))  # fmt: skip
    done = subprocess.run(
        [str(Path(sys.executable).with_name("basedpyright")), "--outputjson", "-p", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = json.loads(done.stdout)["generalDiagnostics"]
    found = {"right.py": [], "wrong_type.py": [], "wrong_name.py": [], runner.name: []}
    for one in said:
        found[Path(one["file"]).name].append((one["severity"], one["message"]))
    errors = {name: [text for severity, text in told if severity == "error"] for name, told in found.items()}
    assert errors["right.py"] == errors[runner.name] == []
    revealed = [text for severity, text in found["right.py"] if severity == "information"]
    assert any("FastLanguageModel" in text and "Unknown" not in text for text in revealed), revealed
    assert any("max_steps" in text and "int" in text for text in errors["wrong_type.py"]), errors
    assert any("learning_rates" in text for text in errors["wrong_name.py"]), errors


def test_the_runner_parses_and_calls_what_the_config_holds(asked):
    """Without unsloth's packages: the script is Python, and each part of the config goes to its call."""
    tree = ast.parse(Path(unsloth_sft.__file__).read_text())
    spread = {
        ast.unparse(call.func): ast.unparse(keyword.value)
        for call in ast.walk(tree) if isinstance(call, ast.Call)
        for keyword in call.keywords if keyword.arg is None
    }  # fmt: skip
    assert spread == {
        "FastLanguageModel.from_pretrained": "loading",
        "FastLanguageModel.get_peft_model": "told['get_peft_model']",
        "SFTConfig": "told['sft']",
    }
    assert set(rendered(asked, gpus=1)) == {
        "from_pretrained",
        "get_peft_model",
        "sft",
        "resume_from_checkpoint",
    }
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {(node.module, name.name) for node in imported for name in node.names}
    assert {("unsloth", "FastLanguageModel"), ("trl", "SFTConfig"), ("trl", "SFTTrainer")} <= names
    (train,) = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "train"]
    first = next(n for n in ast.walk(train) if isinstance(n, ast.Import | ast.ImportFrom))
    assert isinstance(first, ast.ImportFrom) and first.module == "unsloth", "it patches what comes after it"


@pytest.mark.every_stack
def test_started_on_a_cpu_all_the_same_it_ends_with_an_event(asked, tmp_path):
    import yaml

    (tmp_path / "unsloth.yaml").write_text(yaml.safe_dump(rendered(asked, gpus=1)))
    done = subprocess.run(
        [str(python_of("unsloth")), unsloth_sft.__file__, str(tmp_path / "unsloth.yaml"), str(tmp_path)],
        capture_output=True, text=True, check=False,
        # torchvision's wheel is not for a CPU's torch, which unsloth looks at before it looks for an accelerator.
        env={**os.environ, "UNSLOTH_DISABLE_STATISTICS": "1", "UNSLOTH_SKIP_TORCHVISION_CHECK": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert last["kind"] == "other"
    assert "accelerator" in last["message"], "unsloth's own word"
