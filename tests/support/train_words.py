"""Options that make a tiny run fast, for the training tests."""

FAST = [
    "--set", "training.learning_rate=0.005", "--set", "training.batch_size=8", "--set", "data.max_length=64",
    "--set", "evaluation.max_new_tokens=8",
]  # fmt: skip
