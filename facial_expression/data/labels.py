"""What the labels of a data set mean: names of classes, well-known aliases of them, and numbers."""

from collections.abc import Mapping, Sequence

from facial_expression.emotions import EMOTIONS, NAMES
from facial_expression.errors import UserError

CODES: dict[str, dict[str, str | None]] = {
    "fer2013": {str(emotion.code): emotion.name for emotion in EMOTIONS},
    "raf-db": {
        "1": "surprise",
        "2": "fear",
        "3": "disgust",
        "4": "happy",
        "5": "sad",
        "6": "angry",
        "7": "neutral",
    },
    "affectnet": {
        "0": "neutral",
        "1": "happy",
        "2": "sad",
        "3": "surprise",
        "4": "fear",
        "5": "disgust",
        "6": "angry",
        "7": "contempt",
        **dict.fromkeys(("8", "9", "10"), None),  # none of these, uncertain, no face
    },
}
"""What numbers mean in FER2013 (Goodfellow et al., ICONIP 2013), RAF-DB (Li, Deng and Du, CVPR 2017) and AffectNet
(Mollahosseini, Hasani and Mahoor, IEEE Transactions on Affective Computing, 2017), as documented with the data."""

_ALIASES = (
    {"angry", "anger"},
    {"disgust", "disgusted"},
    {"fear", "fearful", "afraid"},
    {"happy", "happiness", "joy"},
    {"sad", "sadness"},
    {"surprise", "surprised"},
    {"neutral", "neutrality", "natural"},
    {"contempt", "contemptuous"},
)


class LabelError(UserError):
    """A label means no class; the message says what is allowed."""


class Labels:
    """The class of each label. Case and surrounding blanks do not count.

    Args:
        classes: names of all classes in order.
        codes: what numbers mean: a key of :data:`CODES`, or ``classes`` for places in the classes, from 0 on.
        meanings: label -> class, or None to leave its faces out; it precedes everything else.
    """

    def __init__(
        self, classes: Sequence[str] = NAMES, codes: str = "fer2013", meanings: Mapping[str, str | None] | None = None
    ):
        self.classes = tuple(classes)
        self._names = {name.casefold(): name for name in classes}
        self._codes = CODES.get(codes) or {str(place): name.casefold() for place, name in enumerate(classes)}
        self._is_documented = codes in ("raf-db", "affectnet")
        self._meanings = {label.strip(" ").casefold(): name for label, name in (meanings or {}).items()}
        self._seen: dict[str, str] = {}  # code -> class

    def class_of(self, label: str) -> str | None:
        """The class of a label, or None if its faces are left out.

        Raises:
            LabelError: it has none.
        """
        key = label.strip(" ").casefold()
        if key in self._meanings:
            return self._meanings[key]
        meaning = self._codes.get(key, key)
        if meaning is None:
            return None
        found = self._find(meaning)
        if found is None:
            raise LabelError(self._describe_unknown(label, meaning))
        if key in self._codes:
            self._seen[key] = found
        return found

    def require_every_class(self, source: str) -> None:
        """Require that each class occurred as a number, if labels were numbers.

        A number is no name: otherwise someone's own 0, 1 and 2 would pass for the first three emotions of FER2013.

        Raises:
            LabelError: a class did not occur; the message names ``source``.
        """
        missing = [name for name in self.classes if name not in self._seen.values()]
        if self._seen and missing and not self._is_documented and not self._meanings:
            raise LabelError(
                f"{source} has the numbers {', '.join(sorted(self._seen, key=int))} as labels, and none for "
                f"{', '.join(missing)}: set classes in params.yaml to the names of these numbers, in their order, and "
                f"decode.codes to classes"
            )

    def _find(self, meaning: str) -> str | None:
        """The class of this name or of an alias of it."""
        aliases = next((group for group in _ALIASES if meaning in group), set())
        return next((self._names[name] for name in (meaning, *sorted(aliases)) if name in self._names), None)

    def _describe_unknown(self, label: str, meaning: str) -> str:
        is_code = meaning != label.strip(" ").casefold()
        codes = sorted(self._codes, key=int)
        remedy = "decode.codes or " if is_code or label.strip(" ").isdecimal() else ""
        return (
            f"unknown label {label[:40]!r}{f' ({meaning})' if is_code else ''}, expected {', '.join(self.classes)} or "
            f"a code from {codes[0]} to {codes[-1]}: add it to classes in params.yaml, or set {remedy}decode.labels"
        )
