"""How the expressions in a video change over time, as a plot; needs the extra ``plot``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facial_expression.cli.annotation import color_of
from facial_expression.errors import UserError
from facial_expression.files import atomic_write
from facial_expression.recognizer import Recognition

try:
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise UserError("timelines need Matplotlib: pip install 'facial-expression[plot]'") from error

_MOST_PEOPLE = 6


class Timeline:
    """Collects the probabilities of each person of a video.

    Args:
        classes: the emotions.
    """

    def __init__(self, classes: Sequence[str]):
        self._classes = list(classes)
        self._times: list[float] = []
        self._people: dict[int, dict[float, list[float]]] = {}

    def add(self, time: float, faces: Sequence[Recognition], people: Sequence[int]) -> None:
        """Add the faces of a frame and the numbers of their people."""
        self._times.append(time)
        for face, person in zip(faces, people, strict=True):
            self._people.setdefault(person, {})[time] = [face.probabilities[name] for name in self._classes]

    def save(self, path: Path, title: str) -> None:
        """Plot the people who are seen longest, one below the other, as a PNG."""
        longest = sorted(self._people, key=lambda person: (-len(self._people[person]), person))[:_MOST_PEOPLE]
        rows = max(1, len(longest))
        figure = Figure(figsize=(10, 1 + 1.6 * rows), layout="constrained")
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        colors = [color_of(name, self._classes) for name in self._classes]
        for axis, person in zip(axes, sorted(longest), strict=False):
            missing = [np.nan] * len(self._classes)
            shares = np.array([self._people[person].get(time, missing) for time in self._times]).T
            axis.stackplot(self._times, shares, labels=self._classes, colors=colors)
            axis.set(ylim=(0, 1), yticks=(0, 0.5, 1), yticklabels=("0", "50%", "100%"), ylabel=f"person {person}")
        axes[0].set_title(title, parse_math=False)
        axes[-1].set(xlabel="seconds", xlim=(min(self._times), max(*self._times, min(self._times) + 1e-3)))
        if longest:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside right center", frameon=False, reverse=True)
        else:
            axes[0].text(0.5, 0.5, "no face", transform=axes[0].transAxes, ha="center", va="center")
        with atomic_write(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
