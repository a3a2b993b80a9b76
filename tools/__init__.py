"""Commands for people who work on the project; no stage needs them."""
