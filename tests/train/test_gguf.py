"""A GGUF file answers in llama.cpp as the adapter did, or there is no file."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
from safetensors.torch import load_file, save_file
from train_words import FAST

from finetune.after import gguf, serving
from finetune.data.template import load_tokenizer
from finetune.errors import RunError, TrainingError
from finetune.record import read_record
from finetune.weights import gguf_writer
from finetune.weights.gguf import read_header

# PEFT uses an old name of transformers when it loads an adapter.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def run(advisor, tiny, sums, tmp_path_factory):
    """A run of enough steps that the adapter ends its answers."""
    folder = tmp_path_factory.mktemp("gguf") / "run"
    words = ["--data", sums, "--model", tiny, "-o", folder, "--set", "training.steps=30", *FAST]
    advisor("train", *words)
    return folder


@pytest.fixture(scope="module")
def export(advisor, run):
    """The process that wrote RUN/model.gguf in f16."""
    return advisor("runs", "gguf", run, "-o", run / "model.gguf")


@pytest.fixture
def copy(run, export, tmp_path):
    """A copy of the run with its merged model, which a test may damage."""
    return shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("work"))


def change_json(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def write_and_check(folder, kind="f32", ends=((2, "<|im_end|>"),)):
    """Return the failures of a file that the writer makes from RUN/merged."""
    file = folder / "damaged.gguf"
    gguf_writer.write_gguf(folder / "merged", file, kind, dict(ends))
    return {c.name: c.result for c in gguf.check_gguf(folder, file, kind) if c.state == "failed"}


def test_file_passes_every_check_and_says_so(run, export):
    own = [check for check in read_record(run).export if check["name"].startswith("model.gguf, ")]
    names = [check["name"].removeprefix("model.gguf, ") for check in own]
    assert names[:4] == ["tokens", "chat template", "held-out loss", "ends of real answers"]
    assert {check["state"] for check in own} == {"passed"}
    assert own[0]["result"] == "llama.cpp gives 12 held-out rows the run's token ids"
    assert "bound 0.0050 (f16)" in own[2]["result"]
    card = (run / "adapter" / "README.md").read_text()
    for check in own:
        assert f"| {check['name']} | {check['state']} | {check['result']} |" in card
    assert read_header(run / "model.gguf").metadata["tokenizer.ggml.eos_token_id"] == 2


def test_smaller_type_passes_too(run, export):
    file = run / "small.gguf"
    gguf_writer.write_gguf(run / "merged", file, "q8_0", {2: "<|im_end|>"})
    assert read_header(file).dtypes.keys() == {"F32", "Q8_0"}
    assert file.stat().st_size < (run / "model.gguf").stat().st_size
    assert {check.state for check in gguf.check_gguf(run, file, "q8_0")} == {"passed"}


def test_checks_of_a_file_replace_earlier_ones_of_the_same_file(copy):
    before = read_record(copy).export
    new = [{"name": "tokens", "state": "passed", "result": "again"}]
    gguf.record_checks(copy, "model.gguf", new)
    after = read_record(copy).export
    assert after[-1] == {"name": "model.gguf, tokens", "state": "passed", "result": "again"}
    assert after[:-1] == tuple(c for c in before if not c["name"].startswith("model.gguf, "))


def test_broken_template_is_refused(advisor, copy):
    template = copy / "merged" / "chat_template.jinja"
    template.write_text(template.read_text().replace("{{ '<|im_start|>assistant\n' }}", ""))
    process = advisor("runs", "gguf", copy, "-o", copy / "new.gguf", code=1)
    assert "chat template: the prompt of held-out row 1 has " in process.stderr
    assert "so advisor does not write it" in process.stderr
    assert not list(copy.glob("new.*"))
    assert not list(copy.glob(".advisor-draft-*"))


def test_wrong_end_token_is_refused(copy):
    """llama.cpp knows <|im_end|> by its text; a model whose end token it does not know never ends."""

    def rename(tokenizer):
        tokenizer["added_tokens"][2]["content"] = "<|fin|>"
        tokenizer["model"]["vocab"]["<|fin|>"] = tokenizer["model"]["vocab"].pop("<|im_end|>")

    change_json(copy / "merged" / "tokenizer.json", rename)
    failures = write_and_check(copy, ends=((0, "<|endoftext|>"),))
    assert "the export ends 0 of " in failures["ends of real answers"]
    assert failures["tokens"].startswith("held-out row 1 ")


def test_bad_merge_is_refused(copy):
    weights = load_file(copy / "merged" / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    save_file({**weights, name: -weights[name]}, copy / "merged" / "model.safetensors")
    assert "in llama.cpp, and" in write_and_check(copy)["held-out loss"]


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("config.json", {"architectures": ["GemmaForCausalLM"]}, "does not write GemmaForCausalLM as GGUF"),
        ("config.json", {"rope_parameters": {"rope_type": "llama3"}}, "scaled rotary embeddings"),
        ("tokenizer.json", {"model": {"type": "Unigram"}}, "only byte-level BPE tokenizers"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Metaspace"}}, "how this tokenizer splits a text"),
    ],
)
def test_model_that_advisor_does_not_write_needs_the_converter(copy, monkeypatch, file, change, reason):
    change_json(copy / "merged" / file, lambda values: values.update(change))
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    with pytest.raises(RunError, match=f"{reason}.*set LLAMA_CPP to the checkout"):
        gguf.export_gguf(copy, copy / "new.gguf")


def test_converter_and_quantiser_of_llama_cpp_run_and_their_file_is_tried(copy, monkeypatch):
    """Programs of a fake checkout write their arguments, which is no GGUF file."""
    checkout = copy / "llama.cpp"
    (checkout / "build" / "bin").mkdir(parents=True)
    write = "import sys, pathlib\npathlib.Path(sys.argv[{}]).write_text('no model')\n"
    (checkout / "convert_hf_to_gguf.py").write_text(write.format(3))
    quantiser = checkout / "build" / "bin" / "llama-quantize"
    quantiser.write_text(f"#!{sys.executable}\n" + write.format(2) + "assert sys.argv[3] == 'Q4_K_M'\n")
    quantiser.chmod(0o700)
    change_json(copy / "merged" / "config.json", lambda values: values.update(architectures=["Other"]))
    monkeypatch.setenv("LLAMA_CPP", str(checkout))
    with pytest.raises(TrainingError, match=r"llama\.cpp cannot load"):
        gguf.export_gguf(copy, copy / "new.gguf", "q4_k_m")
    assert not (copy / "new.gguf").exists()


@pytest.fixture
def no_programs(monkeypatch):
    """A machine without llama.cpp's own programs."""
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    monkeypatch.setattr(gguf, "find_program", lambda name: None)


@pytest.mark.parametrize(("kind", "dtypes"), [
    # Rows of 64 and 128 weights have no blocks of 256, so llama.cpp takes the next larger type that has none.
    ("q4_k_m", {"F32", "Q5_0", "Q8_0"}),
    ("q5_k_m", {"F32", "Q5_1", "Q8_0"}),
])  # fmt: skip
def test_k_types_are_written_and_pass_every_check(run, export, no_programs, kind, dtypes):
    checks = gguf.export_gguf(run, run / f"{kind}.gguf", kind)
    assert {check["state"] for check in checks} == {"passed"}
    assert f"({kind})" in checks[2]["result"]
    header = read_header(run / f"{kind}.gguf")
    assert header.dtypes.keys() == dtypes
    assert (run / f"{kind}.gguf").stat().st_size < (run / "model.gguf").stat().st_size / 2
    assert not list(run.glob(".advisor-draft-*"))


def test_type_that_costs_too_much_is_refused(copy, no_programs, monkeypatch):
    """An adapter that brought little may lose little; two bits cost more."""

    def run_in_process(task, folder, file, kind, _callbacks=None):
        if task == "check":
            checks = gguf.check_gguf(folder, file, kind)
            return json.dumps([{"name": c.name, "state": c.state, "result": c.result} for c in checks])
        return gguf._main(task, folder, file, kind) or ""

    monkeypatch.setattr(gguf, "_run_self", run_in_process)
    monkeypatch.setattr(gguf, "find_bound", lambda kind, gain: 0.001)
    with pytest.raises(TrainingError, match=r"\(q2_k\) does not answer as the adapter did.*held-out loss: "):
        gguf.export_gguf(copy, copy / "new.gguf", "q2_k")
    assert not (copy / "new.gguf").exists()


def test_unknown_type_and_missing_package_are_one_message(copy, no_programs, monkeypatch):
    with pytest.raises(RunError, match=r"llama\.cpp has no type q4_k_x; it has f32, f16, .*q4_k_m"):
        gguf.export_gguf(copy, copy / "new.gguf", "q4_k_x")
    monkeypatch.setattr(gguf.llama_cpp, "can_quantise", lambda: False)
    with pytest.raises(
        RunError, match=r"type q4_k_m needs the package cyllama, or llama\.cpp's llama-quantize"
    ):
        gguf.export_gguf(copy, copy / "new.gguf", "q4_k_m")


def test_bound_of_a_small_type_is_a_tenth_of_what_the_training_brought():
    assert gguf.find_bound("f16", 3.0) == 0.005
    assert gguf.find_bound("q4_k_m", 3.0) == pytest.approx(0.3)
    assert gguf.find_bound("q4_k_m", -1.0) == 0.02


def test_modelfile_has_the_template_in_the_language_of_ollama(run, export):
    assert (run / "model.Modelfile").read_text() == (
        "FROM ./model.gguf\n"
        'TEMPLATE """{{ range $i, $_ := .Messages }}'
        '{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n{{ end }}'
        '{{ if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n<|im_start|>assistant\n{{ end }}'
        '{{ if eq .Role "assistant" }}{{ .Content }}<|im_end|>\n{{ end }}{{ end }}"""\n'
        'PARAMETER stop "<|im_end|>"\n'
    )
    text = (run / "model.serve.md").read_text()
    assert "An answer ends with <|im_end|>." in text
    assert f"llama-server --model {run / 'model.gguf'} --jinja" in text
    assert f"vllm serve {run / 'merged'} " in text


def test_template_parts(tiny):
    tokenizer = load_tokenizer(str(tiny))
    default = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    tokenizer.chat_template = default + tokenizer.chat_template
    parts = serving.split_template(tokenizer)
    assert parts.default == "<|im_start|>system\nBe brief.<|im_end|>\n"
    assert parts.system == ("<|im_start|>system\n", "<|im_end|>\n")
    tokenizer.chat_template += "{% if add_generation_prompt %}<think></think>{% endif %}"
    assert serving.split_template(tokenizer) is None  # earlier questions have no such text
