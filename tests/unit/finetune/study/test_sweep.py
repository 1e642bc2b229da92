"""The settings of a sweep, and when a run of it is hopeless; tests/train trains one."""

from __future__ import annotations

import pytest
import tiny_model

from finetune.callbacks import RunCallbacks
from finetune.errors import SpecError
from finetune.study import sweep


@pytest.fixture
def composed_spec(make_spec):
    return make_spec(tiny_model.sums(20))


def test_all_combinations_of_values_with_their_types(composed_spec):
    texts = ["learning_rate=1e-4,2e-4", "method.r=8,16", "method.name=lora"]
    combinations = sweep.parse_sweep(texts, composed_spec.spec)
    assert combinations == [
        {"training.learning_rate": rate, "method.r": r, "method.name": "lora"}
        for rate in (1e-4, 2e-4)
        for r in (8, 16)
    ]
    assert sweep.describe_settings(combinations[0]) == "learning_rate=0.0001 r=8 name=lora"
    lists = sweep.parse_sweep(['targets=["q_proj"],"all-linear","all-linear"'], composed_spec.spec)
    assert lists == [{"method.targets": ("q_proj",)}, {"method.targets": "all-linear"}]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["learning_rat=1"],
            r"unknown field of --sweep 'learning_rat' \(did you mean training.learning_rate",
        ),
        (["every_steps=1,2"], None),
        (["rows=5,6", "evaluation.rows=7"], "--sweep has evaluation.rows twice"),
        (["learning_rate"], "expected FIELD=VALUE,VALUE"),
        (["learning_rate= "], "expected FIELD=VALUE,VALUE"),
        (["output=a,b"], "unknown field of --sweep 'output'"),
        (["name=lora,full"], None),
        (["r=1,2,3,4", "seed=1,2,3,4"], "4 x 4 = 16 runs; at most 12 are possible"),
    ],
)
def test_wrong_sweeps_are_refused(composed_spec, texts, message):
    if message is None:
        assert sweep.parse_sweep(texts, composed_spec.spec)
        return
    with pytest.raises(SpecError, match=message):
        sweep.parse_sweep(texts, composed_spec.spec)


def test_every_run_is_checked_before_the_first_one_starts(composed_spec, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    combinations = sweep.parse_sweep(["epochs=2.0,4.0"], composed_spec.spec)
    specs = sweep.plan_sweep(composed_spec, combinations, RunCallbacks())
    assert [spec.spec.training.epochs for spec in specs] == [2.0, 4.0]
    steps = [spec.spec.count_steps(18) for spec in specs]
    assert [spec.spec.evaluation.every_steps for spec in specs] == [max(1, n // 4) for n in steps]
    with pytest.raises(
        SpecError, match=r"--sweep learning_rate=-1: invalid run spec: training.learning_rate"
    ):
        sweep.plan_sweep(composed_spec, [{"training.learning_rate": -1}], RunCallbacks())


def test_run_above_the_median_from_the_half_on_is_hopeless():
    earlier = [{1: 3.0, 2: 2.0, 3: 1.0}, {1: 3.0, 2: 2.2}]
    assert sweep.judge_progress({1: 9.0}, earlier) == "", "too early"
    assert sweep.judge_progress({1: 1.0, 2: 2.1}, earlier) == "", "at the median"
    assert "2.1500, and the median of 2 earlier runs there is 2.1000" in sweep.judge_progress(
        {2: 2.15}, earlier
    )
    assert sweep.judge_progress({2: 2.0, 3: 9.0}, earlier) == "", "one earlier run is not enough"
    assert sweep.judge_progress({4: 9.0}, [{4: 1.0}, {4: 1.0}]) == "", "it is complete"
    assert sweep.judge_progress({}, earlier) == ""
