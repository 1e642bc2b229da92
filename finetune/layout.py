"""The names of what a run writes into its folder.

A folder may contain other files too: advisor deletes only these names.
"""

from __future__ import annotations

import re

DATA_NAMES = ("train.jsonl", "test.jsonl", "rows.jsonl", "summary.json")
NAMES = frozenset(
    {
        *(
            "record.json",
            "spec.toml",
            "data",
            "native",
            "events.jsonl",
            "log.txt",
            "work",
            "adapter",
            "merged",
            "wandb",
        ),
        *(
            "evaluation.json",
            "answers.jsonl",
            "gate.json",
            "device-peak-bytes",
            "slow-template.txt",
            "go",
            "stop",
            "stop-at",
        ),
    }
)
DRAFT = re.compile(r"\.(?:draft[.-]|advisor-draft-)[a-z0-9_]{8}")
CHECKPOINT = re.compile(r"checkpoint-\d+")
_OTHER_NAMES = re.compile(r"log-\d+\.txt|stop-at\.draft")


def is_written_by_run(name: str) -> bool:
    """Return whether a run writes a file or a folder with this name."""
    return name in NAMES or any(pattern.fullmatch(name) for pattern in (_OTHER_NAMES, DRAFT))
