"""How to serve an exported file: a Modelfile for Ollama, and commands for llama.cpp and vLLM.

llama.cpp and vLLM read the chat template from the file or folder. Ollama has a template language of its own
(Go's). `split_template` finds the texts that a chat template puts around the turns, and renders sample chats
from them; a template that needs more than such texts gets no Modelfile.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune import record
from finetune.after import export_checks
from finetune.data import dataset, rendering
from finetune.data.rendering import ChatRefusal
from finetune.errors import DataError

_SYSTEM, _USER, _ANSWER = "System-1.", ("Question-1?", "Question-2?"), "Answer-1."


@dataclass(frozen=True)
class Parts:
    """The texts that a chat template puts around the turns.

    Attributes:
        default: before the first question of a chat without a system text.
        system: before and after a system text; None: the template refuses or drops it.
        user: before a question, and between it and its answer.
        answer_end: after an answer.
    """

    default: str
    system: tuple[str, str] | None
    user: tuple[str, str]
    answer_end: str

    def render(self, turns: list[dict[str, str]]) -> str:
        """Return a chat up to its next answer."""
        text = "" if turns[0]["role"] == "system" else self.default
        for turn in turns:
            if turn["role"] == "system" and self.system is not None:
                text += self.system[0] + turn["content"] + self.system[1]
            elif turn["role"] == "user":
                text += self.user[0] + turn["content"] + self.user[1]
            else:
                text += turn["content"] + self.answer_end
        return text


def split_template(tokenizer: Any) -> Parts | None:
    """Return the parts of a tokenizer's chat template; None if it needs more than such texts."""
    first, second = ({"role": "user", "content": text} for text in _USER)
    turns = [first, {"role": "assistant", "content": _ANSWER}, second]
    whole = _render(tokenizer, turns)
    single = _render(tokenizer, [first])
    if whole is None or single is None:
        return None
    head, _, rest = whole.partition(_USER[0])
    middle, _, rest = rest.partition(_ANSWER)
    between, _, last = rest.partition(_USER[1])
    with_system = _render(tokenizer, [{"role": "system", "content": _SYSTEM}, *turns])
    starts = with_system.partition(_USER[0])[0] if with_system and _SYSTEM in with_system else None
    chat = _render(tokenizer, turns[:2], is_prompt=False) or ""
    answer_end = chat.rpartition(_ANSWER)[2]
    if not between.startswith(answer_end):
        return None
    before_user = between.removeprefix(answer_end)
    system = None
    if starts is not None:
        start, _, end = starts.partition(_SYSTEM)
        system = start, end.removesuffix(before_user)
    parts = Parts(head.removesuffix(before_user), system, (before_user, middle), answer_end)
    chats = [turns, [first], *([[{"role": "system", "content": _SYSTEM}, *turns]] if system else [])]
    is_whole = middle == last and all(parts.render(chat) == _render(tokenizer, chat) for chat in chats)
    return parts if is_whole else None


def _render(tokenizer: Any, turns: list[dict[str, str]], *, is_prompt: bool = True) -> str | None:
    try:
        return rendering.render(tokenizer, turns, prompt=is_prompt).text
    except (ChatRefusal, DataError):
        return None


def render_modelfile(file: Path, parts: Parts, stops: list[str]) -> str:
    """Return Ollama's Modelfile for a GGUF file beside it."""
    system = ""
    if parts.system is not None:
        system = (
            f'{{{{ if eq .Role "system" }}}}{parts.system[0]}{{{{ .Content }}}}{parts.system[1]}{{{{ end }}}}'
        )
    start = (
        f'{{{{ if and (eq $i 0) (ne .Role "system") }}}}{parts.default}{{{{ end }}}}' if parts.default else ""
    )
    user = f'{{{{ if eq .Role "user" }}}}{parts.user[0]}{{{{ .Content }}}}{parts.user[1]}{{{{ end }}}}'
    answer = f'{{{{ if eq .Role "assistant" }}}}{{{{ .Content }}}}{parts.answer_end}{{{{ end }}}}'
    template = f"{{{{ range $i, $_ := .Messages }}}}{start}{system}{user}{answer}{{{{ end }}}}"
    lines = [f"FROM ./{file.name}", f'TEMPLATE """{template}"""']
    return "\n".join([*lines, *(f"PARAMETER stop {json.dumps(stop)}" for stop in stops)]) + "\n"


def write_serving_files(folder: Path, model: Path, file: Path) -> None:
    """Write ``FILE.serve.md`` and, for a chat template of texts around the turns, ``FILE.Modelfile``.

    Args:
        folder: the run's folder.
        model: the folder of its whole model.
        file: the GGUF file.
    """
    spec = record.read_spec(folder, record.read_record(folder))
    tokenizer = export_checks.load_run_tokenizer(spec)
    stops = list(export_checks.find_end_tokens(dataset.open_dataset(folder / "data"), spec).values())
    parts = split_template(tokenizer) if tokenizer.chat_template else None
    is_writable = parts is not None and not any('"""' in text or "{{" in text for text in _list_texts(parts))
    modelfile = file.with_suffix(".Modelfile")
    if is_writable and parts is not None:
        record.write_text(modelfile, render_modelfile(file, parts, stops))
    else:
        modelfile.unlink(missing_ok=True)
    record.write_text(file.with_suffix(".serve.md"), _describe(model, file, stops, has_modelfile=is_writable))


def _list_texts(parts: Parts) -> list[str]:
    return [parts.default, *(parts.system or ()), *parts.user, parts.answer_end]


def _describe(model: Path, file: Path, stops: list[str], *, has_modelfile: bool) -> str:
    name, path, folder = file.stem, shlex.quote(str(file)), shlex.quote(str(model))
    ollama = ["Its chat template needs more than texts around the turns. Use llama.cpp or vLLM."]
    if has_modelfile:
        modelfile = shlex.quote(str(file.with_suffix(".Modelfile")))
        ollama = [
            "```sh",
            f"ollama create {shlex.quote(name)} -f {modelfile}",
            f"ollama run {shlex.quote(name)}",
            "```",
        ]
    lines = [
        f"# Serve {file.name}",
        "",
        f"An answer ends with {', '.join(stops) or 'no special token'}.",
        "llama.cpp and vLLM take this token and the chat template from the model itself.",
        "",
        "## llama.cpp",
        "",
        "```sh",
        f"llama-server --model {path} --jinja --host 127.0.0.1 --port 8080",
        "```",
        "",
        "## vLLM (the merged model, on a GPU)",
        "",
        "```sh",
        f"vllm serve {folder} --served-model-name {shlex.quote(name)} --host 127.0.0.1 --port 8000",
        "```",
        "",
        "## Ollama",
        "",
        *ollama,
    ]
    return "\n".join(lines) + "\n"
