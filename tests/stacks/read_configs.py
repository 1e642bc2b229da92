"""Read native configs with the stack's own parser, in its environment, as on a machine with GPUs.

`python read_configs.py STACK RUNNERS RUN…` prints what the parser understood of each run's native config. A
machine without a GPU pretends to have eight: the parsers ask for them, but compute nothing. unsloth cannot be
imported here: trl's parser, which it uses, reads its trainer's arguments, and its source has the others.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

stack, runners, *runs = sys.argv[1:]
sys.path.insert(0, runners)
# bitsandbytes and the trainers look for a GPU when they are imported, so that comes before the pretence.
IMPORTS = {
    "trl": ("bitsandbytes", "trl.trainer.sft_config", "trl.trainer.model_config"),
    "axolotl": ("bitsandbytes", "axolotl.cli.config", "axolotl.utils.trainer"),
    "torchtune": ("bitsandbytes", "torchtune.config"),
    "litgpt": ("litgpt.__main__",),
    "unsloth": ("bitsandbytes", "trl.trainer.sft_config"),
}


def pretend_gpus(count):
    import torch

    properties = SimpleNamespace(
        name="NVIDIA H100", major=9, minor=0, total_memory=80 * 2**30, multi_processor_count=132
    )
    answers = {
        "is_available": True, "device_count": count, "current_device": 0, "is_bf16_supported": True,
        "get_device_capability": (9, 0), "get_device_properties": properties, "is_initialized": True,
        "get_device_name": properties.name, "set_device": None, "reset_peak_memory_stats": None,
        "memory_allocated": 0, "max_memory_allocated": 0, "max_memory_reserved": 0, "memory_reserved": 0,
    }  # fmt: skip
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
    torch.version.cuda = "13.0"


def describe_arguments(args):
    """Return what transformers' training arguments say."""
    return {
        "dtype": "bfloat16" if args.bf16 else "float16" if args.fp16 else "float32",
        "batch": args.per_device_train_batch_size * args.gradient_accumulation_steps,
        "rate": args.learning_rate,
        "steps": args.max_steps,
        "checkpointing": bool(args.gradient_checkpointing),
        "optimizer": str(getattr(args.optim, "value", args.optim)),
        "packing": args.packing,
        "liger": args.use_liger_kernel,
    }


def read_trl(run):
    from trl import (
        ModelConfig,
        ScriptArguments,
        SFTConfig,
        TrlParser,
        get_peft_config,
        get_quantization_config,
    )

    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    _, args, model = parser.parse_args_and_config(["--config", str(run / "native" / "sft.yaml")])
    quantisation, peft = get_quantization_config(model), get_peft_config(model)
    is_four_bits = bool(quantisation and quantisation.load_in_4bit)
    rank = peft.r if peft else None
    return {**describe_arguments(args), "four_bits": is_four_bits, "rank": rank,
            "attention": model.attn_implementation}  # fmt: skip


def read_unsloth(run):
    import yaml
    from trl import SFTConfig

    settings = yaml.safe_load((run / "native" / "unsloth.yaml").read_text())
    loading, adapter = settings["from_pretrained"], settings["get_peft_model"]
    models = Path(importlib.util.find_spec("trl").origin).parents[1] / "unsloth" / "models"
    known = list_parameters(models / "loader.py", "FastLanguageModel", "from_pretrained")
    assert set(loading) <= known, set(loading) - known
    known = list_parameters(models / "llama.py", "FastLlamaModel", "get_peft_model") | {"use_dora"}  # PEFT's
    assert set(adapter) <= known, set(adapter) - known
    facts = describe_arguments(SFTConfig(**settings["sft"]))
    assert facts["dtype"] == loading["dtype"]
    return {**facts, "four_bits": loading["load_in_4bit"], "rank": adapter["r"]}


def list_parameters(source, owner, function):
    tree = ast.parse(source.read_text())
    owner = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == owner)
    method = next(n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name == function)
    return {one.arg for one in [*method.args.args, *method.args.kwonlyargs]}


def read_axolotl(run):
    import yaml
    from axolotl.cli.config import load_cfg, prepare_plugins
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    path = run / "native" / "axolotl.yaml"
    settings = yaml.safe_load(path.read_text())
    schema = AxolotlInputConfig
    if settings.get("plugins"):
        from axolotl.integrations.config import merge_input_args

        prepare_plugins(DictDefault(settings))
        _, schema = merge_input_args()
    known = set(schema.model_fields) | {field.alias for field in schema.model_fields.values()}
    assert set(settings) <= known, set(settings) - known
    try:
        cfg = load_cfg(str(path))
    except ValueError as error:
        if settings["attn_implementation"] != "flash_attention_2":
            raise
        return {"attention": settings["attn_implementation"], "refusal": str(error)}
    return {
        "four_bits": bool(cfg.load_in_4bit), "rank": cfg.lora_r, "dtype": str(cfg.torch_dtype)[6:],
        "batch": cfg.micro_batch_size * cfg.gradient_accumulation_steps, "rate": cfg.learning_rate,
        "steps": cfg.max_steps, "checkpointing": bool(cfg.gradient_checkpointing),
        "optimizer": str(getattr(cfg.optimizer, "value", cfg.optimizer)), "attention": cfg.attn_implementation,
        "packing": bool(cfg.sample_packing), "liger": bool(cfg.liger_rms_norm),
    }  # fmt: skip


def read_torchtune(run):
    from omegaconf import OmegaConf
    from torchtune import config

    (path,) = (run / "native").glob("*.yaml")
    cfg = OmegaConf.load(path)
    config.validate(cfg)
    names = {"bf16": "bfloat16", "fp32": "float32"}
    recipe = Path(importlib.util.find_spec("torchtune").origin).parents[1] / "recipes" / f"{path.stem}.py"
    read = {n.attr for n in ast.walk(ast.parse(recipe.read_text())) if isinstance(n, ast.Attribute)}
    read |= {n.value for n in ast.walk(ast.parse(recipe.read_text())) if isinstance(n, ast.Constant)}
    assert set(cfg) <= read, set(cfg) - read
    return {
        "four_bits": cfg.model.quantize_base, "rank": cfg.model.lora_rank, "dtype": names[cfg.dtype],
        "batch": cfg.batch_size * cfg.gradient_accumulation_steps, "rate": cfg.optimizer.lr,
        "steps": cfg.max_steps_per_epoch, "checkpointing": cfg.enable_activation_checkpointing,
        "optimizer": f"{cfg.optimizer.get('fused', '')} {cfg.optimizer._component_}",
    }  # fmt: skip


def read_litgpt(run):
    from litgpt import __main__ as command

    arguments = {}
    setup = command.PARSER_DATA["finetune_lora"]

    @functools.wraps(setup)
    def record(**values):
        arguments.update(values)

    command.PARSER_DATA["finetune_lora"] = record
    sys.argv = ["litgpt", "finetune_lora", "--config", str(run / "native" / "finetune_lora.yaml")]
    try:
        command.main()
    finally:
        command.PARSER_DATA["finetune_lora"] = setup
    train, optimizer = arguments["train"], arguments["optimizer"]
    names = {"bf16-true": "bfloat16", "32-true": "float32"}
    around = json.loads((run / "native" / "around.json").read_text())
    return {
        "four_bits": arguments["quantize"] == "bnb.nf4-dq", "rank": arguments["lora_r"],
        "dtype": names[arguments["precision"]], "batch": train.global_batch_size // arguments["devices"],
        "rate": optimizer["init_args"]["lr"], "steps": train.max_steps,
        "checkpointing": around["gradient_checkpointing"],
        "optimizer": f"{optimizer['init_args'].get('fused', '')} {optimizer['class_path']}",
    }  # fmt: skip


READERS = {"trl": read_trl, "axolotl": read_axolotl, "torchtune": read_torchtune, "litgpt": read_litgpt,
           "unsloth": read_unsloth}  # fmt: skip
if stack == "unsloth":  # its torchvision is for another build of torch, and nothing here needs it
    find_spec = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name == "torchvision" else find_spec(name, *rest)
for name in IMPORTS[stack]:
    importlib.import_module(name)
pretend_gpus(8)
print("RESULTS", json.dumps({Path(run).name: READERS[stack](Path(run)) for run in runs}))
