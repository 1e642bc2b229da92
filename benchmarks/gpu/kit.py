"""Prove the GPU path on a machine with one GPU and without network, in steps of at most ten minutes.

    python3 benchmarks/gpu/kit.py all         # everything, at most half an hour
    python3 benchmarks/gpu/kit.py STEP        # facts, qlora, stacks, failures, unsloth or tiny
    options: --wheels FOLDER (build/gpu-kit), --out FOLDER (benchmarks/results),
             --state FOLDER (build/gpu-state), --dry-run (a CPU stands in for the GPU, with tiny models)

The machine has its own Python, torch and transformers; `wheels.py` brings what else a step needs. Each step
writes OUT/gpu-STEP.json after each of its runs: the card, the driver, versions, checks, and of each run the
losses, the peaks by torch and by the driver, tokens a second, their share of the card's limit, and the
predicted memory. A check that fails ends the command with exit code 1, after all steps.

This script needs Python's standard library only; `work.py` runs inside the environment that it makes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VOCABULARY = {"llama-8b": 128256, "tiny": 700}
TRAINABLE = {"llama-8b": 41_943_040, "tiny": 32_768}  # rank 16, all linear layers
ROWS = 60
ROW_TOKENS = {"llama-8b": 2048, "tiny": 64}
QUERY = "name,memory.total,memory.used,compute_cap,driver_version"


@dataclass
class Step:
    """One step while it runs.

    Attributes:
        name: its name.
        is_dry: a CPU stands in for the GPU: tiny models, and no check that needs a GPU.
        state, out: folders of models and runs, and of results.
        python: the interpreter of its environment.
        deadline: when it must end, by `time.monotonic`.
        result: what the file of the step says.
    """

    name: str
    is_dry: bool
    state: Path
    out: Path
    python: Path
    deadline: float
    result: dict = field(default_factory=dict)

    @property
    def shape(self) -> str:
        return "tiny" if self.is_dry else "llama-8b"

    def work(self, *words: object, timeout: float | None = None, **variables: str) -> dict:
        """Run `work.py` with these words, and return its answer, or ``error`` and why there is none."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "XDG_DATA_HOME": str(self.state / "data"),
            "XDG_CACHE_HOME": str(self.state / "cache"),
            **variables,
        }
        remaining = max(1.0, self.deadline - time.monotonic())
        command = [str(self.python), str(HERE / "work.py"), *map(str, words)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        try:
            output, _ = process.communicate(timeout=min(timeout or remaining, remaining))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return {"error": f"{words[0]} did not end in its time"}
        lines = output.strip().splitlines()
        if process.returncode or not lines:
            return {"error": f"exit code {process.returncode}"}
        return json.loads(lines[-1])

    def add_run(self, name: str, figures: dict) -> dict:
        self.result["runs"][name] = figures
        self.write()
        return figures

    def check(self, name: str, passed: object, found: object) -> None:
        """Note a check; None: it needs a GPU."""
        self.result["checks"][name] = {"passed": passed if passed is None else bool(passed), "found": found}
        self.write()

    def check_on_gpu(self, name: str, passed: object, found: object) -> None:
        self.check(name, None if self.is_dry else passed, found)

    def write(self) -> None:
        """Write the result, and a copy for later steps: OUT may be another folder then."""
        for folder in (self.out, self.state / "results"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"gpu-{self.name}.json").write_text(json.dumps(self.result, indent=1) + "\n")

    def train(
        self, name: str, stack: str, method: str, *words: str, shape: str = "", **options: object
    ) -> dict:
        """Train the model of the step with random texts; return the figures of the run."""
        return self.add_run(
            name, self.work("train", *self.compose(name, stack, method, *words, shape=shape, **options))
        )

    def compose(
        self, name: str, stack: str, method: str, *words: str, shape: str = "", **options: object
    ) -> list[str]:
        """Return the folder of a run and the words of `advisor train`; make the model and the texts first."""
        shape = shape or self.shape
        run = self.state / "runs" / f"{self.name}-{name}"
        shutil.rmtree(run, ignore_errors=True)
        model, texts = self.state / f"model-{shape}", self.state / f"texts-{shape}.jsonl"
        if not (model / "model.complete").is_file():
            shutil.rmtree(model, ignore_errors=True)
            self.work("model", model, shape)
            (model / "model.complete").touch()
        if not texts.is_file():
            self.work("texts", texts, ROWS, ROW_TOKENS[shape])
        micro = 4
        fields = {
            "data.max_length": ROW_TOKENS[shape],
            "data.evaluation_share": 0.1,
            "method.name": method,
            "training.steps": 6 if shape == "tiny" else 12,
            "training.batch_size": micro,
            "training.micro_batch_size": micro,
            "training.learning_rate": 5e-4,
            "training.warmup": 0,
            "evaluation.rows": 0,
            "evaluation.generations": 0,
            **options,
        }
        values = {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()
        }
        settings = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
        return [str(run), "--stack", stack, "--model", str(model), "--data", str(texts), *words, *settings]


def query_card() -> dict:
    """Return what nvidia-smi says of the first GPU; empty without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {}
    query = subprocess.run(
        [tool, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=False,
    )
    values = query.stdout.partition("\n")[0].split(",")
    return dict(zip(QUERY.split(","), map(str.strip, values), strict=False)) if len(values) > 1 else {}


def read_used_mib() -> int:
    used = query_card().get("memory.used", "0")
    return int(float(used)) if used.replace(".", "").isdigit() else 0


def check_run(step: Step, name: str, figures: dict) -> None:
    """Check what holds for every finished run of the step's model, whose weights are random."""
    losses = [loss for loss in figures.get("losses", ()) if loss is not None]
    first = math.log(VOCABULARY[step.shape])
    step.check(
        f"{name}: finished",
        figures.get("state") == "finished",
        figures.get("outcome") or figures.get("error"),
    )
    step.check(
        f"{name}: the first loss is that of random weights",
        losses and abs(losses[0] - first) < 0.6,
        losses[:1],
    )
    step.check(f"{name}: the loss falls", losses and min(losses[-3:]) < losses[0], losses)
    step.check(
        f"{name}: trained weights",
        figures.get("trainable") == TRAINABLE[step.shape],
        figures.get("trainable"),
    )
    step.check_on_gpu(f"{name}: on the GPU", figures.get("kind") == "cuda", figures.get("kind"))
    error = figures.get("prediction_error")
    step.check_on_gpu(
        f"{name}: predicted memory within -15 % and +15 %", error is not None and abs(error) <= 0.15, error
    )
    share = figures.get("share_of_limit")
    step.check_on_gpu(
        f"{name}: between a fifth and the whole of the card's limit", share and 0.2 <= share <= 1, share
    )


def prove_facts(step: Step) -> None:
    """NF4 there and back, and a step of the paged optimizer."""
    facts = step.work("numbers")
    step.result["versions"] = facts.get("versions", {})
    error = facts.get("nf4_error", 9)
    step.check("NF4 there and back", 0.05 < error < 0.1, error)
    paged = facts.get("paged_value")
    step.check_on_gpu("paged optimizer", paged is not None and paged < 1, paged)
    step.check_on_gpu("torch is built for CUDA", facts.get("torch_cuda"), facts.get("torch_cuda"))


def prove_tiny(step: Step) -> None:
    """A tiny QLoRA with evaluation on the GPU, and a tiny LoRA on the CPU of the same machine."""
    if step.is_dry:
        step.check("tiny runs on the GPU and on the CPU", None, "the other steps of a dry run are tiny too")
        return
    options = {"evaluation.rows": 4, "evaluation.generations": 1}
    check_tiny(step, "trl-qlora", step.train("trl-qlora", "trl", "qlora", shape="tiny", **options))
    figures = step.train("trl-lora-cpu", "trl", "lora", "--cpu", shape="tiny")
    check_tiny(step, "trl-lora-cpu", figures)
    step.check("trl-lora-cpu: on the CPU", figures.get("kind") == "cpu", figures.get("kind"))


def check_tiny(step: Step, name: str, figures: dict) -> None:
    reason = figures.get("outcome") or figures.get("error")
    step.check(f"{name}: finished", figures.get("state") == "finished", reason)
    trainable = figures.get("trainable")
    step.check(f"{name}: trained weights", trainable == TRAINABLE["tiny"], trainable)


def prove_qlora(step: Step) -> None:
    """LoRA and QLoRA of the 8B-shaped model with trl; QLoRA with evaluation."""
    peaks = {}
    for method in ("qlora",) if step.is_dry else ("qlora", "lora"):
        options = {"evaluation.rows": 2} if method == "qlora" else {}
        figures = step.train(f"trl-{method}", "trl", method, **options)
        check_run(step, f"trl-{method}", figures)
        peaks[method] = figures.get("peak_process_mib") or 0
    held_out = figures.get("held_out") or {}
    step.check(
        "trl-qlora: judged in 4 bits", {"base_quantised", "adapter_quantised"} <= set(held_out), held_out
    )
    is_small = 0 < peaks["qlora"] < peaks.get("lora", 0) / 1.5
    step.check_on_gpu("QLoRA needs less than two thirds of LoRA's memory", is_small, peaks)


def prove_failures(step: Step) -> None:
    """Out of memory and float16 on purpose, the paged optimizer, Ctrl-C and resume."""
    if not step.is_dry:
        prove_out_of_memory(step)
        for name, field, value in (
            ("paged", "training.optimizer", "paged_adamw_8bit"),
            ("float16", "training.dtype", "float16"),
        ):
            check_run(step, name, step.train(name, "trl", "qlora", **{field: value}))
    words = step.compose("interrupted", "trl", "qlora", shape="tiny", **{"training.steps": 300})
    ends = step.add_run("interrupted", step.work("interrupt", *words))
    first, last = ends.get("interrupted", {}), ends.get("resumed", {})
    step.check("Ctrl-C leaves a run to resume", first.get("state") == "interrupted", first.get("outcome"))
    check_tiny(step, "--resume", last)
    step.check("no step is lost or repeated", last.get("steps") == list(range(1, 301)), last.get("steps"))


def prove_out_of_memory(step: Step) -> None:
    before = read_used_mib()
    size = {"training.micro_batch_size": ROWS, "training.batch_size": ROWS}
    options = {**size, "training.gradient_checkpointing": False}
    figures = step.train("out-of-memory", "trl", "qlora", **options)
    said = f"{figures.get('outcome')} {figures.get('message')}"
    has_remedy = "memory" in said and "training.micro_batch_size" in said
    step.check("out of memory has its remedy", has_remedy, said)
    after = read_used_mib()
    step.check("the GPU is free again", after <= before + 200, [before, after])


def prove_stacks(step: Step) -> None:
    """QLoRA of the same model with torchtune and litgpt; their first losses are trl's."""
    for stack, options in (("torchtune", {}), ("litgpt", {"training.micro_batch_size": 1})):
        prove_stack(step, stack, options)


def prove_unsloth(step: Step) -> None:
    """QLoRA of the same model with unsloth, in an environment of its own."""
    prove_stack(step, "unsloth", {})


def prove_stack(step: Step, stack: str, options: dict) -> None:
    if step.is_dry:
        step.check(f"{stack}: QLoRA", None, "needs a GPU and the wheels of the stack")
        return
    figures = step.train(f"{stack}-qlora", stack, "qlora", **options)
    check_run(step, f"{stack}-qlora", figures)
    file = step.state / "results" / "gpu-qlora.json"
    losses = (
        json.loads(file.read_text())["runs"].get("trl-qlora", {}).get("losses") if file.is_file() else None
    )
    if losses:
        pair = [losses[0], (figures.get("losses") or [0])[0]]
        step.check(f"{stack}: the first loss is trl's", abs(pair[0] - pair[1]) <= 0.02, pair)


@dataclass(frozen=True)
class Plan:
    """A step: what it does, its limit in seconds, its environment, and the bundles that this needs."""

    prove: Callable[[Step], None]
    seconds: int
    environment: str
    bundles: tuple[str, ...]


# The most valuable figures come first: a machine may be taken away. Half an hour is more than the sum of the
# limits, because starts and transfers need time too.
STEPS = {
    "facts": Plan(prove_facts, 90, "kit", ("trl", "tools")),
    "qlora": Plan(prove_qlora, 480, "kit", ("trl", "tools")),
    "stacks": Plan(prove_stacks, 420, "kit", ("trl", "tools", "stacks")),
    "failures": Plan(prove_failures, 330, "kit", ("trl", "tools")),
    "unsloth": Plan(prove_unsloth, 210, "unsloth", ("trl", "tools", "unsloth")),
    "tiny": Plan(prove_tiny, 90, "kit", ("trl", "tools")),
}


def prepare_environment(plan: Plan, wheels: Path, state: Path) -> Path:
    """Return the interpreter of an environment over the machine's own packages, with the bundles."""
    home = state / f"environment-{plan.environment}"
    python = home / "bin" / "python"
    if not python.is_file():
        # Without pip, because some systems lack ensurepip. The packages of the machine come by a path file,
        # because `--system-site-packages` does not see those of a virtual environment.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
        (site,) = home.glob("lib/python*/site-packages")
        folders = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (site / "machine.pth").write_text("\n".join(folders) + "\n")
    for bundle in plan.bundles:
        files = sorted(str(file) for file in (wheels / bundle).glob("*.whl"))
        mark = home / f"{bundle}.installed"
        if mark.is_file():
            continue
        if not files:
            raise SystemExit(
                f"no wheels in {wheels / bundle}: make them with python benchmarks/gpu/wheels.py {wheels}"
            )
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        install = [*pip, "install", "--quiet", "--no-index", "--no-deps", *files]
        subprocess.run(install, check=True)
        mark.touch()
    return python


def run_step(name: str, args: argparse.Namespace) -> bool:
    """Run a step and write its file; return whether no check failed."""
    plan = STEPS[name]
    began = time.monotonic()
    state = args.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable) if args.dry_run else prepare_environment(plan, args.wheels.resolve(), state)
    step = Step(name, args.dry_run, state, args.out.resolve(), python, began + plan.seconds)
    step.result = {
        "step": name,
        "command": " ".join(sys.argv),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "dry_run": args.dry_run,
        "card": query_card(),
        "runs": {},
        "checks": {},
    }
    plan.prove(step)
    step.result["seconds"] = round(time.monotonic() - began, 1)
    step.write()
    failures = [check for check, answer in step.result["checks"].items() if answer["passed"] is False]
    passes = sum(answer["passed"] is True for answer in step.result["checks"].values())
    print(f"{name}: {passes} checks passed, {len(failures)} failed, {step.result['seconds']:.0f} s")
    for check in failures:
        print(f"  failed: {check}: {step.result['checks'][check]['found']}")
    return not failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("step", choices=["all", *STEPS])
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "gpu-kit")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "gpu-state")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    names = list(STEPS) if args.step == "all" else [args.step]
    results = [run_step(name, args) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
