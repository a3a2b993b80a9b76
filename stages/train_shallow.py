"""Train the shallow network under one protocol.

    dvc repro train_shallow@official          (all protocols: dvc repro train_shallow)

reads   the filtered face table and the one that ``pictures`` names, the blocks ``train_shallow`` and ``runtime`` of
        params.yaml
writes  models/PROTOCOL/shallow/, reports/PROTOCOL/history_shallow.csv

A core without AVX-512 trains 1,100 images a second, so the 10,000 iterations of `published` take a quarter of an hour
and the 6,000 of `official` ten minutes; with AVX-512 1,400. README.md shows the figures to expect. `--time-budget
MINUTES` ends training early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import shallow
from stages.training_stage import main

if __name__ == "__main__":
    main("shallow", shallow.build)
