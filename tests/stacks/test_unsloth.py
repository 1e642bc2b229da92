"""unsloth to its edge: without an accelerator it cannot be imported, so its sources are read instead."""

from __future__ import annotations

import ast
import json
import os
import subprocess
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


@pytest.mark.every_stack
def test_started_on_a_cpu_all_the_same_it_ends_with_an_event(asked, tmp_path):
    import yaml

    (tmp_path / "unsloth.yaml").write_text(yaml.safe_dump(rendered(asked, gpus=1)))
    done = subprocess.run(
        [str(python_of("unsloth")), unsloth_sft.__file__, str(tmp_path / "unsloth.yaml"), str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "UNSLOTH_DISABLE_STATISTICS": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    # Either unsloth's own word (no accelerator), or before it torchvision's, whose wheel is not for a CPU's torch.
    assert last["kind"] == "other"
    assert "import" in last["message"] or "accelerator" in last["message"]
