"""Without --stack, the recommended library trains that can train on this machine, and on these rows."""

from __future__ import annotations

import pytest

from advisor import recommend
from advisor.cli.run_options import RunOptions, compose_run
from finetune.callbacks import RunCallbacks
from finetune.stacks.shared.refusals import PREFERENCE_STACKS


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_preferences_are_trained_by_a_stack_that_can(objective):
    fields = [f"method.objective={objective}", "devices.kind=cuda"]
    stages = []
    options = RunOptions(data="d.jsonl", model="m", fields=fields)
    request = compose_run(options, RunCallbacks(on_stage=stages.append))
    assert request.composed_spec.spec.stack in PREFERENCE_STACKS
    assert request.composed_spec.origins["stack"] == "recommended"
    choice = recommend().choice
    if choice != "huggingface/trl":
        reason = (
            f"the next of the ranking that can train here; advisor does not run {objective} with {choice}"
        )
        assert request.recommendation["reasons"] == [reason]
        assert stages == [f"the stack is trl, {reason}"], "the reader of a ranking expects its choice"


def test_no_word_about_the_stack_if_it_is_the_choice(monkeypatch):
    monkeypatch.setenv("ADVISOR_GPUS", "NVIDIA H100 80GB HBM3, 80, 9.0")
    stages = []
    request = compose_run(RunOptions(data="d.jsonl", model="m"), RunCallbacks(on_stage=stages.append))
    assert recommend().choice.endswith(f"/{request.composed_spec.spec.stack}")
    assert stages == []
