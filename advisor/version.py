"""The version of advisor; any layer may import it."""

__version__ = "0.1.0"
