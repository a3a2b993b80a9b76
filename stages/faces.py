"""What every stage with a network reads: the filtered faces, in the pictures that a recipe names."""

from facial_expression.facetable import FaceTable, read_face_table

FACES = "data/filtered"


def read_faces(pictures: str) -> FaceTable:
    """The filtered face table with the pictures of data/aligned/, data/framed/ or data/decoded/.

    Args:
        pictures: ``aligned``, ``framed`` or ``decoded``.

    Raises:
        FileNotFoundError, ValueError: as :func:`facial_expression.facetable.read_face_table`.
    """
    return read_face_table(FACES).as_shown_in(read_face_table(f"data/{pictures}", memory_map=True))
