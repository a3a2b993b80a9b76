"""Learn the mean shape that faces are aligned to, from the Training faces that dlib finds without enlargement.

    python -m tools.learn_mean_shape data/decoded facial_expression/faces/mean_shape.csv

Takes about a minute on two cores for FER2013. PublicTest and PrivateTest have no part in it. The result is kept in git:
run this only to learn another one, from other faces.
"""

import argparse

import numpy as np

from facial_expression.data.face_table import read_face_table
from facial_expression.faces.align_table import detect_faces
from facial_expression.faces.detection import DetectionPass
from facial_expression.faces.mean_shape import learn_mean_shape, save_mean_shape

LANDMARK_ENLARGEMENT = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="face table of decoded pictures")
    parser.add_argument("destination", help="CSV file to write")
    arguments = parser.parse_args()
    table = read_face_table(arguments.table)
    table = table.select((table.faces["usage"] == "Training").to_numpy())
    faces = detect_faces(table.images, [DetectionPass()], LANDMARK_ENLARGEMENT)
    landmarks = np.stack([face.landmarks for face in faces if face is not None])
    save_mean_shape(arguments.destination, learn_mean_shape(landmarks, table.images.shape[1]))
    print(f"mean shape of {len(landmarks):,} faces written to {arguments.destination}")


if __name__ == "__main__":
    main()
