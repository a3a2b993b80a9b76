"""The command ``facial-expression``."""
