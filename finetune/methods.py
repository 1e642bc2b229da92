"""The alphabet soup of fine-tuning, sorted: what each method changes, where it is from, what it costs.

``evidence`` says where a stack's support was seen. trl reaches whatever PEFT offers: our own tests train
each method with ``runs`` (`tests/train/test_methods.py`). What the other stacks offer was read in
the sources of the versions named (trl 1.16, peft 0.21, axolotl 0.21, torchtune 0.6, litgpt 0.5.13,
unsloth 2026.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MethodNote:
    """One method.

    Attributes:
        name: as people write it.
        changes: what is trained.
        paper: where it was proposed (arXiv id), with its year.
        memory: what it costs beside the frozen weights, as a rule.
        runs: the `RunSpec` settings that run it on trl; empty where nothing here does.
        evidence: stack → the name of its option or class, as read in its source.
        remark: what to know before choosing it.
    """

    name: str
    changes: str
    paper: str
    memory: str
    runs: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""


_PEFT = "peft"
METHODS: tuple[MethodNote, ...] = (
    MethodNote(
        "full", "every weight", "",
        "16 bytes a weight with AdamW in float32: weights, gradients, two moments", "method.name=full",
        {"trl": "use_peft: false", "axolotl": "no adapter", "torchtune": "full_finetune_*",
         "litgpt": "finetune_full", "unsloth": "full_finetuning=True"},
        "the strongest and the most forgetful; needs many rows and much memory",
    ),
    MethodNote(
        "LoRA", "a low-rank sum B·A beside chosen linear layers", "2106.09685 (2021)",
        "16 bytes a trained weight; r·(inputs + outputs) a layer", "method.name=lora",
        {"trl": "use_peft", "axolotl": "adapter: lora", "torchtune": "lora_*", "litgpt": "finetune_lora",
         "unsloth": "get_peft_model"},
        "the default; all linear layers rather than query and value alone",
    ),
    MethodNote(
        "QLoRA", "LoRA on a base that is frozen in 4 bits (NF4)", "2305.14314 (2023)",
        "about half a byte a base weight in place of two; LoRA on top", "method.name=qlora",
        {"trl": "load_in_4bit", "axolotl": "adapter: qlora", "torchtune": "quantize_base",
         "litgpt": "quantize: bnb.nf4-dq", "unsloth": "load_in_4bit"},
        "slower than LoRA a step; below about 1.5 billion weights it saves little",
    ),
    MethodNote(
        "rsLoRA", "LoRA scaled by alpha/√r, so that a high rank still learns", "2312.03732 (2023)",
        "as LoRA", "method.rslora=true",
        {"trl": "use_rslora", "axolotl": "peft_use_rslora", "unsloth": "use_rslora"},
        "from r = 64 on",
    ),
    MethodNote(
        "DoRA", "direction by LoRA, length of each weight column by a vector", "2402.09353 (2024)",
        "LoRA, a vector more, and more kept for the way back", "method.dora=true",
        {"trl": "use_dora", "axolotl": "peft_use_dora", "torchtune": "use_dora", "unsloth": "use_dora"},
        "slower; helps most at low rank",
    ),
    MethodNote(
        "IA3", "a vector that scales keys, values and the MLP's inside", "2205.05638 (2022)",
        "next to nothing", "method.name=ia3", {"trl": f"{_PEFT}: IA3Config"},
        "few-shot tasks; name the targets if the family is not in PEFT's table",
    ),
    MethodNote(
        "VeRA", "two vectors around random matrices that all layers share", "2310.11454 (2023)",
        "a tenth of LoRA or less", "method.name=vera", {"trl": f"{_PEFT}: VeraConfig"},
        "targets must have one shape; large r (256)",
    ),
    MethodNote(
        "prompt tuning", "some virtual tokens before every prompt", "2104.08691 (2021)",
        "virtual tokens x hidden size", "method.name=prompt-tuning",
        {"trl": f"{_PEFT}: PromptTuningConfig"}, "works with large models; takes from the window",
    ),
    MethodNote(
        "prefix tuning", "virtual keys and values in every layer", "2101.00190 (2021)",
        "virtual tokens x layers x 2 x key-value size", "method.name=prefix-tuning",
        {"trl": f"{_PEFT}: PrefixTuningConfig"}, "takes from the window; cannot be merged",
    ),
    MethodNote(
        "p-tuning", "virtual tokens made by a small network", "2103.10385 (2021)", "the small network",
        "", {"trl": f"{_PEFT}: PromptEncoderConfig"}, "",
    ),
    MethodNote(
        "AdaLoRA", "LoRA whose rank moves to the layers that need it", "2303.10512 (2023)",
        "LoRA of a higher rank at first", "", {"trl": f"{_PEFT}: AdaLoraConfig"}, "wants a schedule of ranks",
    ),
    MethodNote(
        "LoHa, LoKr", "sums of Hadamard or Kronecker products", "2309.14859 (2023)", "as LoRA or less", "",
        {"trl": f"{_PEFT}: LoHaConfig, LoKrConfig"}, "come from image models",
    ),
    MethodNote(
        "OFT, BOFT", "an orthogonal turn of the weights", "2306.07280 (2023), 2311.06243 (2023)",
        "more kept for the way back than LoRA", "", {"trl": f"{_PEFT}: OFTConfig, BOFTConfig"}, "",
    ),
    MethodNote(
        "PiSSA, OLoRA, LoftQ",
        "LoRA begun from the weights' own singular vectors or their quantisation error",
        "2404.02948, 2406.01775 (2024), 2310.08659 (2023)", "as LoRA", "",
        {"trl": f"{_PEFT}: init_lora_weights"}, "an initialisation, not a method of its own",
    ),
    MethodNote(
        "RED", "a scale and a shift of the hidden states of every layer", "2402.15179 (2024)",
        "two vectors a layer", "", {}, "neither the five stacks nor PEFT have it; the paper's own code does",
    ),
    MethodNote(
        "ReFT, LoReFT", "a low-rank edit of the hidden states at a few positions", "2404.03592 (2024)",
        "ten to fifty times less than LoRA", "", {},
        "in pyreft alone; the word is in none of the stacks' sources",
    ),
    MethodNote(
        "layer norm tuning", "the weights of the norms alone", "2312.11420 (2023)", "next to nothing", "",
        {"trl": f"{_PEFT}: LNTuningConfig"}, "",
    ),
    MethodNote(
        "GaLore", "every weight, with gradients projected to a low rank", "2403.03507 (2024)",
        "full, with a fraction of the moments", "", {"trl": "optim: galore_adamw"},
        "an optimizer rather than an adapter",
    ),
)  # fmt: skip
