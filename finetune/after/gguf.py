"""Export a run as a GGUF file that llama.cpp has tried: it answers as the adapter did, or there is no file.

Writing and checking are processes of their own, without a network: `python -m finetune.after.gguf TASK RUN
FILE TYPE`. What the file must equal comes from the run and its adapter, not from the merged model, so these
checks also find a merged model that somebody changed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.files import draft_folder
from finetune import isolation, record
from finetune.after import card, llama_cpp, serving
from finetune.after.answer_checks import Answers, Check, answer_with, check_answers, select_questions
from finetune.after.merge import FROM_4_BITS, choose_base, merge_adapter
from finetune.callbacks import RunCallbacks
from finetune.child_progress import begin, count_rows
from finetune.errors import DataError, RunError, TrainingError, explain_os_errors
from finetune.weights import gguf_writer

if TYPE_CHECKING:
    from finetune.data.dataset import Dataset
    from finetune.data.encoded_row import EncodedRow
    from finetune.spec import RunSpec

CONVERTER, QUANTISER = "convert_hf_to_gguf.py", "llama-quantize"
_TASKS = {
    "write": "writing the GGUF file",
    "quantise": "quantising the GGUF file",
    "check": "the check of the GGUF file",
}
_LOSS_ROWS = 32
# Nats a token that rounding may cost; docs/how-to/train.md shows what f16 and q8_0 cost the demo.
_BOUNDS: Mapping[str, float] = {"f32": 0.005, "f16": 0.005, "bf16": 0.01, "q8_0": 0.02}
_SMALL_BOUND, _GAIN_SHARE = 0.02, 0.1  # a smaller type may cost a tenth of what the training brought


def export_gguf(
    folder: Path, out: Path, kind: str = "f16", callbacks: RunCallbacks = RunCallbacks()
) -> list[dict[str, Any]]:
    """Write the GGUF file of a run, and return its checks.

    Merges the adapter first if that is not done yet. The file is written to a draft, loaded in llama.cpp and
    checked; only a file that fails no check gets its name. Record and card have the checks. Beside the file
    are ``Modelfile`` (if the chat template can be written for Ollama) and ``.serve.md``.

    Args:
        folder: the run's folder.
        out: the GGUF file.
        kind: type of its weights.
        callbacks: called with the stages and their progress.

    Raises:
        RunError: the run is not finished, or a program or package is missing.
        TrainingError: the file cannot be written, or it does not answer as the adapter did.
    """
    if not llama_cpp.is_installed():
        raise RunError(
            "cannot check a GGUF file without llama.cpp: pip install 'library-advisor[gguf]', which installs "
            f"{llama_cpp.PACKAGE}"
        )
    kind = kind.lower()
    is_plain = kind in gguf_writer.TYPES
    quantiser = None if is_plain else _choose_quantiser(kind)
    model = prepare_model(folder, callbacks)
    callbacks.on_stage(f"write the GGUF file ({kind})")
    with explain_os_errors(out), draft_folder(out.parent, ".advisor-draft-") as draft:
        file = draft / out.name
        source = file if is_plain else draft / "f16.gguf"
        _write_file(folder, model, source, kind if is_plain else "f16")
        if quantiser is not None:
            _run_program([quantiser, str(source), str(file), kind.upper()], QUANTISER)
        elif not is_plain:
            _run_self("quantise", source, file, kind)
        callbacks.on_stage("try the file in llama.cpp, and compare it with the adapter")
        output = _run_self("check", folder, file, kind, callbacks)
        checks: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
        failures = [f"{check['name']}: {check['result']}" for check in checks if check["state"] == "failed"]
        if failures:
            raise TrainingError(
                f"the GGUF file ({kind}) does not answer as the adapter did, so advisor does not write it. "
                f"{'; '.join(failures)}"
            )
        file.replace(out)
    record_checks(folder, out.name, checks)
    serving.write_serving_files(folder, model, out)
    return checks


def prepare_model(folder: Path, callbacks: RunCallbacks = RunCallbacks()) -> Path:
    """Return the folder of the run's whole model; merge the adapter first if that is not done yet.

    Raises:
        RunError: the run is not finished, or its adapter cannot be merged.
        TrainingError: the merged model does not answer as the adapter.
    """
    run_record = record.read_record(folder)
    if run_record.spec["method"]["name"] == "full" and run_record.current_state == "finished":
        return folder / "adapter"
    if not (folder / "merged").is_dir():
        merge_adapter(folder, callbacks=callbacks)
    return folder / "merged"


def _write_file(folder: Path, model: Path, out: Path, kind: str) -> None:
    """Write the model as a file of a plain type; llama.cpp's converter writes what advisor does not.

    Raises:
        RunError: advisor does not write this model, and the converter is not installed.
    """
    obstacle = gguf_writer.find_obstacle(model)
    if not obstacle:
        _run_self("write", folder, out, kind)
        return
    converter = find_program(CONVERTER)
    if converter is None:
        raise RunError(
            f"{obstacle}, and cannot find llama.cpp's {CONVERTER}: clone llama.cpp, pip install its "
            "requirements, and set LLAMA_CPP to the checkout"
        )
    command = [sys.executable, converter, str(model), "--outfile", str(out), "--outtype", kind]
    _run_program(command, CONVERTER)


def _choose_quantiser(kind: str) -> str | None:
    """Return the user's own llama-quantize, or None if there is none and the package does it.

    Raises:
        RunError: neither can write this type.
    """
    program = find_program(QUANTISER)
    if program is not None:
        return program
    if not llama_cpp.can_quantise():
        raise RunError(
            f"type {kind} needs the package {llama_cpp.QUANTISER_PACKAGE}, or llama.cpp's {QUANTISER} on "
            f"PATH: pip install 'library-advisor[gguf]'. Without them: {', '.join(gguf_writer.TYPES)}"
        )
    types = llama_cpp.list_types()
    if kind not in types:
        raise RunError(f"llama.cpp has no type {kind}; it has {', '.join(['f32', *types])}")
    return None


def find_program(name: str) -> str | None:
    """Return a program of llama.cpp, from PATH or from the checkout in LLAMA_CPP."""
    checkout = os.environ.get("LLAMA_CPP")
    folders = [Path(checkout), Path(checkout) / "build" / "bin"] if checkout else []
    files = [folder / name for folder in folders if (folder / name).is_file()]
    return shutil.which(name) or (str(files[0]) if files else None)


def _run_self(
    task: str, folder: Path, file: Path, kind: str, callbacks: RunCallbacks = RunCallbacks()
) -> str:
    command = [sys.executable, "-m", "finetune.after.gguf", task, str(folder), str(file), kind]
    return _run_program(command, _TASKS[task], callbacks)


def _run_program(command: list[str], name: str, callbacks: RunCallbacks = RunCallbacks()) -> str:
    """Run a program to its end, and return its output.

    Raises:
        TrainingError: it failed.
    """
    process = isolation.run_program(command, isolation.OFFLINE, callbacks.on_progress)
    if process.returncode:
        lines = (process.stderr or process.stdout).strip().splitlines() or ["it printed nothing"]
        reason = lines[-1].removeprefix("finetune.errors.TrainingError: ")
        raise TrainingError(f"{name} failed with exit code {process.returncode}: {reason}")
    return process.stdout


def record_checks(folder: Path, name: str, checks: list[dict[str, Any]]) -> None:
    """Put the checks of a file into record and card, in place of earlier ones of the same name."""
    run_record = record.read_record(folder)
    prefix = f"{name}, "
    others = [check for check in run_record.export if not check["name"].startswith(prefix)]
    own = [{**check, "name": prefix + check["name"]} for check in checks]
    card.write_card(folder, record.update_record(folder, run_record, export=(*others, *own)))


def check_gguf(folder: Path, file: Path, kind: str) -> list[Check]:
    """Compare a GGUF file in llama.cpp with the run's adapter.

    Args:
        folder: the run's folder.
        file: the GGUF file.
        kind: type of its weights.
    """
    from finetune.after import evaluate, export_checks
    from finetune.data import dataset

    run_record = record.read_record(folder)
    spec = record.read_spec(folder, run_record)
    data = dataset.open_dataset(folder / "data")
    tokenizer = export_checks.load_run_tokenizer(spec)
    rows = evaluate.read_held_out(data, min(_LOSS_ROWS, spec.evaluation.rows))
    rows = rows if spec.method.objective == "sft" else []
    questions = select_questions(data, tokenizer, spec)
    is_quantised = choose_base(run_record) == FROM_4_BITS
    begin("load the adapter")
    model = evaluate.load_model(folder, spec, is_quantised=is_quantised)
    reference = answer_with(model, tokenizer, questions, "adapter")
    loss = export_checks.measure_loss(model, rows, "adapter")
    del model
    evaluate.release_memory()
    longest = max((len(row.input_ids) for row in rows), default=0)
    longest_prompt = max((len(prompt) for prompt in questions.prompts), default=0)
    context = max(longest, longest_prompt + questions.max_new_tokens, spec.data.max_length) + 1
    begin("load the file in llama.cpp")
    server = llama_cpp.LlamaServer(file, context)
    losses = run_record.losses.get("held_out", {})
    gain = losses["base"] - losses["adapter"] if {"base", "adapter"} <= losses.keys() else 0.0
    checks = [
        _check_tokens(server, tokenizer, evaluate.read_held_out(data, spec.evaluation.rows)),
        _check_template(server, tokenizer, data, spec),
        _check_loss(server, rows, loss, find_bound(kind, gain), kind),
    ]
    on_rows = count_rows("answers in llama.cpp", len(questions.prompts))
    answers = []
    for number, prompt in enumerate(questions.prompts, 1):
        answers.append(server.answer(prompt, questions.max_new_tokens))
        on_rows(number)
    texts = tuple(str(tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids, _ in answers)
    return [*checks, *check_answers(questions, reference, Answers(texts, tuple(end for _, end in answers)))]


def find_bound(kind: str, gain: float) -> float:
    """Return the loss in nats a token that a type may cost."""
    return _BOUNDS.get(kind) or max(_SMALL_BOUND, _GAIN_SHARE * gain)


def _check_tokens(server: llama_cpp.LlamaServer, tokenizer: Any, rows: list[EncodedRow]) -> Check:
    from finetune.after import export_checks

    name, count = "tokens", 0
    for n, row in enumerate((side for one in rows for side in one.sides), 1):
        text = tokenizer.decode(row.input_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if tokenizer(text, add_special_tokens=False)["input_ids"] != row.input_ids:
            continue  # a row that was cut inside a character
        ids = server.tokenize(text)
        if ids != row.input_ids:
            return Check(
                name, "failed", f"held-out row {n} {export_checks.describe_difference(ids, row.input_ids)}"
            )
        count += 1
    if not count:
        return Check(name, "not checked", "the run has no held-out rows whose text is known")
    return Check(name, "passed", f"llama.cpp gives {count} held-out rows the run's token ids")


def _check_template(server: llama_cpp.LlamaServer, tokenizer: Any, data: Dataset, spec: RunSpec) -> Check:
    from finetune.after import export_checks
    from finetune.data.fields import list_forms

    name = "chat template"
    try:
        rows = [row for row in export_checks.read_source(data, spec) if row.messages]
    except DataError as error:
        return Check(name, "not checked", str(error))
    if not rows:
        return Check(name, "not checked", "the held-out rows are no chats")
    for n, row in enumerate(rows[: spec.evaluation.rows], 1):
        turns = next(list_forms(row.messages))[:-1]
        expected_ids = export_checks.encode_prompt(row, tokenizer)
        try:
            ids = server.tokenize(server.render(turns, row.tools))
        except TrainingError as error:
            return Check(name, "failed", f"the prompt of held-out row {n}: {error}")
        if ids != expected_ids:
            difference = export_checks.describe_difference(ids, expected_ids)
            return Check(name, "failed", f"the prompt of held-out row {n} {difference}")
    return Check(
        name, "passed", f"llama.cpp renders the prompts of {len(rows)} held-out rows as the run does"
    )


def _check_loss(
    server: llama_cpp.LlamaServer, rows: list[EncodedRow], reference: float, bound: float, kind: str
) -> Check:
    from finetune.runners.emit import IGNORE_INDEX

    name, total, count = "held-out loss", 0.0, 0
    on_rows = count_rows("loss in llama.cpp", len(rows))
    for number, row in enumerate(rows, 1):
        places = [n for n, label in enumerate(row.labels) if label != IGNORE_INDEX and n]
        total += sum(server.score(row.input_ids, place) for place in places)
        count += len(places)
        on_rows(number)
    if not count:
        return Check(name, "not checked", "the run has no held-out answers")
    loss = total / count
    result = (
        f"{loss:.4f} in llama.cpp, and {reference:.4f} with the adapter, on {len(rows)} rows: difference "
        f"{loss - reference:+.4f}, bound {bound:.4f} ({kind})"
    )
    difference = loss - reference
    is_near = (abs(difference) if kind in _BOUNDS else difference) <= bound
    return Check(name, "passed" if is_near else "failed", result)


def _main(task: str, folder: Path, file: Path, kind: str) -> None:
    from finetune.after import export_checks
    from finetune.data import dataset

    if task == "check":
        print(json.dumps([asdict(check) for check in check_gguf(folder, file, kind)]))
        return
    if task == "quantise":
        llama_cpp.quantise(folder, file, kind)  # here the folder is the file to read
        return
    spec = record.read_spec(folder, record.read_record(folder))
    ends = export_checks.find_end_tokens(dataset.open_dataset(folder / "data"), spec)
    gguf_writer.write_gguf(prepare_model(folder), file, kind, ends)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
