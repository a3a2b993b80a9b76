"""Train the one network that sees the pictures as FER2013 has them, before any face is found or cropped.

    dvc repro train_uncropped@official          (all protocols: dvc repro train_uncropped)

reads   the filtered and the decoded face table, the blocks ``train_uncropped`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/uncropped/, reports/PROTOCOL/history_uncropped.csv

It is there for the ensemble: it errs on other faces than the rest, and less on those that dlib does not find. A core
without AVX-512 trains 240 images a second. README.md shows the figures to expect. `--time-budget MINUTES` ends training
early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression import training
from facial_expression.facetable import read_face_table
from facial_expression.networks import preactivation
from stages.training_stage import main


def train(network, recipe, classes, description, **arguments):
    pictures = read_face_table("data/decoded", memory_map=True)
    arguments |= {part: arguments[part].as_shown_in(pictures) for part in ("training", "validation")}
    return training.train(network, recipe, classes, description=description | {"pictures": "uncropped"}, **arguments)


if __name__ == "__main__":
    main("uncropped", preactivation.build, train)
