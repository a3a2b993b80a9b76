"""Who is who in the frames of a video."""

from collections.abc import Sequence

from facial_expression.photo_faces import Box, overlap

_SAME_PERSON = 0.5  # share of the smaller of two boxes that lies in the other
_PATIENCE = 1.0  # seconds for which a face may be missing


class Tracks:
    """Numbers the people of a video: a face whose box overlaps one of the last second is the same person's."""

    def __init__(self) -> None:
        self._people: dict[int, tuple[Box, float]] = {}
        self._count = 0

    def number(self, boxes: Sequence[Box], time: float) -> list[int]:
        """The number of each box's person, from 1 on.

        Args:
            boxes: of the faces in one frame.
            time: of the frame in seconds; frames come in order.
        """
        known = {person: box for person, (box, seen) in self._people.items() if time - seen <= _PATIENCE}
        pairs = [(overlap(box, old), index, person) for index, box in enumerate(boxes) for person, old in known.items()]
        numbers: dict[int, int] = {}
        for share, index, person in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
            if share >= _SAME_PERSON and index not in numbers and person not in numbers.values():
                numbers[index] = person
        for index, box in enumerate(boxes):
            if index not in numbers:
                self._count += 1
                numbers[index] = self._count
            self._people[numbers[index]] = (box, time)
        return [numbers[index] for index in range(len(boxes))]
