"""Where facts come from: one source, one file."""
