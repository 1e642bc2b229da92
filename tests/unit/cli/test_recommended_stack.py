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
    request = compose_run(RunOptions(data="d.jsonl", model="m", fields=fields), RunCallbacks())
    assert request.composed_spec.spec.stack in PREFERENCE_STACKS
    assert request.composed_spec.origins["stack"] == "recommended"
    choice = recommend().choice
    if choice != "huggingface/trl":
        reason = (
            f"the next of the ranking that can train here; advisor does not run {objective} with {choice}"
        )
        assert request.recommendation["reasons"] == [reason]
