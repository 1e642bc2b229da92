"""The methods of fine-tuning and its objectives, with paper, cost and the stacks that have them.

``evidence`` names the option or class of each stack. trl supports every method of PEFT; our tests train
each method that has ``runs`` (`tests/train/test_methods.py`). The options of the other stacks come from
their source code (trl 1.16, peft 0.21, axolotl 0.21, torchtune 0.6, litgpt 0.5.13, unsloth 2026.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MethodNote:
    """One method of fine-tuning.

    Attributes:
        name: its usual name.
        changes: the weights that it trains.
        paper: arXiv id of the paper, with its year.
        memory: typical memory besides the frozen weights.
        runs: the `RunSpec` setting that selects it on trl; empty if no setting does.
        evidence: stack → name of its option or class in its source code.
        remark: what to know before you choose it.
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
        "full", "all weights", "",
        "16 bytes per weight with AdamW in float32: weights, gradients, two moments", "method.name=full",
        {"trl": "use_peft: false", "axolotl": "no adapter", "torchtune": "full_finetune_*",
         "litgpt": "finetune_full", "unsloth": "full_finetuning=True"},
        "the strongest method, but forgets most; needs many rows and much memory",
    ),
    MethodNote(
        "LoRA", "low-rank matrices B·A, added to chosen linear layers", "2106.09685 (2021)",
        "16 bytes per trained weight; r·(inputs + outputs) weights per layer", "method.name=lora",
        {"trl": "use_peft", "axolotl": "adapter: lora", "torchtune": "lora_*", "litgpt": "finetune_lora",
         "unsloth": "get_peft_model"},
        "the default; trains all linear layers, not only query and value",
    ),
    MethodNote(
        "QLoRA", "LoRA on a base model quantised to 4 bits (NF4)", "2305.14314 (2023)",
        "about half a byte per base weight instead of two, plus LoRA", "method.name=qlora",
        {"trl": "load_in_4bit", "axolotl": "adapter: qlora", "torchtune": "quantize_base",
         "litgpt": "quantize: bnb.nf4-dq", "unsloth": "load_in_4bit"},
        "slower per step than LoRA; saves little for models below about 1.5 billion weights",
    ),
    MethodNote(
        "rsLoRA", "LoRA with the scale alpha/√r, so that high ranks learn too", "2312.03732 (2023)",
        "same as LoRA", "method.rslora=true",
        {"trl": "use_rslora", "axolotl": "peft_use_rslora", "unsloth": "use_rslora"},
        "useful for r = 64 and more",
    ),
    MethodNote(
        "DoRA", "the direction of each weight column by LoRA, its length by a vector", "2402.09353 (2024)",
        "LoRA, one vector more, and more activations for the backward pass", "method.dora=true",
        {"trl": "use_dora", "axolotl": "peft_use_dora", "torchtune": "use_dora", "unsloth": "use_dora"},
        "slower than LoRA; helps most at low ranks",
    ),
    MethodNote(
        "IA3", "vectors that scale keys, values and the inner activations of the MLP", "2205.05638 (2022)",
        "almost nothing", "method.name=ia3", {"trl": f"{_PEFT}: IA3Config"},
        "for few-shot tasks; set method.targets if PEFT does not know the model family",
    ),
    MethodNote(
        "VeRA", "two vectors per layer, around random matrices that all layers share", "2310.11454 (2023)",
        "a tenth of LoRA or less", "method.name=vera", {"trl": f"{_PEFT}: VeraConfig"},
        "all targets must have the same shape; use a large r (256)",
    ),
    MethodNote(
        "prompt tuning", "virtual tokens before every prompt", "2104.08691 (2021)",
        "virtual tokens x hidden size", "method.name=prompt-tuning",
        {"trl": f"{_PEFT}: PromptTuningConfig"},
        "works with large models; the tokens use part of the context window",
    ),
    MethodNote(
        "prefix tuning", "virtual keys and values in every layer", "2101.00190 (2021)",
        "virtual tokens x layers x 2 x key-value size", "method.name=prefix-tuning",
        {"trl": f"{_PEFT}: PrefixTuningConfig"},
        "the tokens use part of the context window; cannot be merged into the model",
    ),
    MethodNote(
        "p-tuning", "virtual tokens from a small network", "2103.10385 (2021)", "the small network",
        "", {"trl": f"{_PEFT}: PromptEncoderConfig"}, "",
    ),
    MethodNote(
        "AdaLoRA", "LoRA that gives more rank to the layers that need it", "2303.10512 (2023)",
        "LoRA with a higher rank at first", "", {"trl": f"{_PEFT}: AdaLoraConfig"},
        "needs a schedule of ranks",
    ),
    MethodNote(
        "LoHa, LoKr", "Hadamard or Kronecker products of small matrices", "2309.14859 (2023)", "LoRA or less",
        "", {"trl": f"{_PEFT}: LoHaConfig, LoKrConfig"}, "made for image models",
    ),
    MethodNote(
        "OFT, BOFT", "an orthogonal rotation of the weights", "2306.07280 (2023), 2311.06243 (2023)",
        "more activations for the backward pass than LoRA", "",
        {"trl": f"{_PEFT}: OFTConfig, BOFTConfig"}, "",
    ),
    MethodNote(
        "PiSSA, OLoRA, LoftQ",
        "LoRA, initialised from the singular vectors or the quantisation error of the weights",
        "2404.02948, 2406.01775 (2024), 2310.08659 (2023)", "same as LoRA", "",
        {"trl": f"{_PEFT}: init_lora_weights"}, "ways to initialise LoRA, not separate methods",
    ),
    MethodNote(
        "RED", "a scale and a shift of the hidden states of every layer", "2402.15179 (2024)",
        "two vectors per layer", "", {},
        "not in the five stacks and not in PEFT; only in the paper's own code",
    ),
    MethodNote(
        "ReFT, LoReFT", "a low-rank change of the hidden states at a few positions", "2404.03592 (2024)",
        "ten to fifty times less than LoRA", "", {},
        "only in pyreft; none of the stacks has it",
    ),
    MethodNote(
        "layer norm tuning", "only the weights of the norms", "2312.11420 (2023)", "almost nothing", "",
        {"trl": f"{_PEFT}: LNTuningConfig"}, "",
    ),
    MethodNote(
        "GaLore", "all weights, with gradients projected to a low rank", "2403.03507 (2024)",
        "full fine-tuning with smaller moments", "", {"trl": "optim: galore_adamw"},
        "an optimizer, not an adapter",
    ),
    MethodNote(
        "DPO", "what LoRA, QLoRA or full trains: chosen answers become likelier than rejected ones",
        "2305.18290 (2023)",
        "two answers for each row, and a reference: the model without its adapter (full: a second model)",
        "method.objective=dpo",
        {"trl": "DPOConfig", "axolotl": "rl: dpo", "torchtune": "lora_dpo_*", "unsloth": "PatchDPOTrainer"},
        "rows with prompt, chosen and rejected; start from an instruct model; method.beta is the strength of "
        "the reference",
    ),
    MethodNote(
        "KTO", "what LoRA, QLoRA or full trains: desirable answers become likelier, the others less likely",
        "2402.01306 (2024)", "as DPO, with one answer for each row", "method.objective=kto",
        {"trl": "KTOConfig", "axolotl": "rl: kto"},
        "rows with prompt, completion and label; takes pairs too, as two rows each",
    ),
    MethodNote(
        "ORPO", "what LoRA, QLoRA or full trains: answers and preferences in one loss, without a reference",
        "2403.07691 (2024)", "two answers for each row", "method.objective=orpo",
        {"trl": "experimental.orpo.ORPOConfig", "axolotl": "rl: orpo"},
        "rows as for DPO; can start from a base model; method.beta is the weight of the preference",
    ),
)  # fmt: skip
