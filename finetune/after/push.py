"""Push a finished run to the Hugging Face Hub: its adapter or its merged model, with the model card."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from advisor.files import draft_folder
from finetune import record
from finetune.errors import RunError, TrainingError, explain_os_errors

_NO_CONNECTION = ("ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "ProxyError")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# What a program that loads the model needs; a folder can contain other files of a user.
_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt", "README.md", "*.py")


def push_run(folder: Path, name: str, part: str = "adapter", *, is_public: bool = False) -> str:
    """Upload a part of a run, and return its address.

    The repository is created if it is missing, and private unless ``is_public``. An existing one keeps who
    may see it.

    Raises:
        RunError: the run is not finished, the part is missing, or the name is wrong.
        TrainingError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    run_record = record.read_record(folder)
    if run_record.current_state != "finished":
        raise RunError(f"{folder} is {run_record.current_state}; only a finished run can be pushed")
    if not _NAME.fullmatch(name):
        raise RunError(f"invalid name {name!r}: expected OWNER/NAME")
    source = folder / part
    if not source.is_dir():
        advice = f"; run `advisor runs merge {folder.name}` first" if part == "merged" else ""
        raise RunError(f"{folder} has no folder {part}{advice}")
    api = HfApi()
    try:
        api.create_repo(name, private=not is_public, exist_ok=True)
        with explain_os_errors(folder), draft_folder(folder, ".advisor-draft-") as draft:
            _copy_files(source, folder / "adapter" / "README.md", draft)
            commit: Any = api.upload_folder(
                repo_id=name, folder_path=draft, commit_message=f"Upload {part} of run {run_record.id}"
            )
    except LocalTokenNotFoundError:
        raise RunError("there is no token of the hub: run `hf auth login`, or set HF_TOKEN") from None
    except OfflineModeIsEnabled:
        raise RunError("HF_HUB_OFFLINE is set, so the hub cannot be reached; unset it") from None
    except HfHubHTTPError as error:
        raise TrainingError(f"the hub refuses to take {name}: {_explain(error)}") from None
    except Exception as error:
        if type(error).__name__ not in _NO_CONNECTION:  # of the hub's HTTP library, which may change
            raise
        raise TrainingError(f"cannot reach the hub at {api.endpoint}: {error}") from None
    return str(commit.commit_url)


def _copy_files(source: Path, card: Path, draft: Path) -> None:
    """Put the files to upload into the draft; links instead of copies, because weights are large."""
    for pattern in _FILES:
        for path in source.glob(pattern):
            (draft / path.name).symlink_to(path.resolve())
    if card.is_file():
        (draft / "README.md").unlink(missing_ok=True)
        shutil.copyfile(card, draft / "README.md")


def _explain(error: Any) -> str:
    """Return the hub's reason in one line, and what to do about the usual ones."""
    status = getattr(getattr(error, "response", None), "status_code", 0)
    advice = {
        401: "; the token is missing or wrong: run `hf auth login`",
        403: "; the token may not write there: it needs the role write",
    }
    reason = getattr(error, "server_message", None) or str(error).strip().splitlines()[0]
    return f"{reason.rstrip('.')}{advice.get(status, '')}"
