"""The stages of the pipeline, one script each: ``python -m stages.NAME``, as DVC runs them."""

import sys
from types import TracebackType


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Show an exception. Ctrl-C during a script's imports, before `run_stage`, is no reason for a traceback."""
    if kind is KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _show
