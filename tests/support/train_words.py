"""Options that make a tiny run fast, for the training tests."""

FAST = [
    "--set", "training.learning_rate=0.005", "--set", "training.batch_size=8", "--set", "data.max_length=64",
    "--set", "evaluation.max_new_tokens=8",
]  # fmt: skip

# A short training of the demo's model (135 million parameters), judged on a few rows.
DEMO = [
    "--set", "training.steps=8", "--set", "training.batch_size=4", "--set", "training.learning_rate=0.002",
    "--set", "evaluation.rows=6", "--set", "evaluation.generations=1", "--metric", "exact-match",
]  # fmt: skip
