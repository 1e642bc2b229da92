"""Compute logits of a stack's own model with a random adapter, in the stack's environment.

`python in_stack.py STACK RUNNERS FOLDER` writes the files of a runner, `work/native.safetensors` and
`work/probe.safetensors`, into each run folder below FOLDER; for torchtune also torchtune's own export to
PEFT.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from safetensors.torch import save_file

stack, runners, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
sys.path.insert(0, runners)

from probe import keep_precision  # noqa: E402 - a runner stands beside the others


def torchtune_model(run):
    from omegaconf import OmegaConf
    from torchtune import config

    cfg = OmegaConf.load(run / "native" / "lora_finetune_single_device.yaml")
    model = config.instantiate(cfg.model)
    state = config.instantiate(cfg.checkpointer).load_checkpoint()["model"]
    missing_keys, unexpected_keys = model.load_state_dict(state, strict=False)
    assert not unexpected_keys, unexpected_keys
    assert all("lora_" in name for name in missing_keys), missing_keys
    return model


def litgpt_model(run):
    import yaml
    from litgpt.lora import GPT, Config
    from litgpt_parts import convert_base

    config = yaml.safe_load((run / "native" / "finetune_lora.yaml").read_text())
    around = json.loads((run / "native" / "around.json").read_text())
    base = run / "native" / "base"
    convert_base(Path(around["base"]), run / "native" / "model_config.yaml", base)
    lora = {key: value for key, value in config.items() if key.startswith("lora_")}
    with build_context(config["quantize"]):
        model = GPT(Config.from_file(base / "model_config.yaml", **lora))
    missing_keys, unexpected_keys = model.load_state_dict(
        torch.load(base / "lit_model.pth", weights_only=True), strict=False
    )
    assert not unexpected_keys, unexpected_keys
    assert all("lora_" in name for name in missing_keys), missing_keys
    return model


def build_context(quantize):
    """Return the context in which litgpt builds its model."""
    if quantize is None:
        return nullcontext()
    import quantise_on_cpu
    from lightning.fabric.plugins.precision import BitsandbytesPrecision

    quantise_on_cpu.allow_cpu()
    return BitsandbytesPrecision(quantize.removeprefix("bnb."), torch.float32).module_init_context()


def write_official_export(run, adapter):
    """Write torchtune's own export."""
    from torchtune.models.convert_weights import tune_to_peft_adapter_weights

    shape = json.loads((run / "shape.json").read_text())
    out = tune_to_peft_adapter_weights(dict(adapter), **shape)
    save_file({key: value.contiguous() for key, value in out.items()}, run / "official.safetensors")


for run in sorted(path for path in folder.iterdir() if (path / "native").is_dir()):
    torch.manual_seed(1)
    model = {"torchtune": torchtune_model, "litgpt": litgpt_model}[stack](run).eval()
    for name, parameter in model.named_parameters():
        if "lora_b" in name.lower():
            torch.nn.init.normal_(parameter, std=0.05)
    keep_precision(model)
    ids = torch.randint(0, 250, (1, 24))
    with torch.no_grad():
        logits = model(ids).float()
    (run / "work").mkdir(exist_ok=True)
    adapter = {n: t.detach().contiguous() for n, t in model.state_dict().items() if "lora_" in n}
    save_file(adapter, run / "work" / "native.safetensors")
    save_file({"input_ids": ids, "logits": logits.contiguous()}, run / "work" / "probe.safetensors")
    if stack == "torchtune" and (run / "shape.json").is_file():
        write_official_export(run, adapter)
    print(run.name)
