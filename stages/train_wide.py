"""Train the wide network under one protocol.

    dvc repro train_wide@official          (all protocols: dvc repro train_wide)

reads   the filtered face table and the one that ``pictures`` names, the blocks ``train_wide`` and ``runtime`` of
        params.yaml
writes  models/PROTOCOL/wide/, reports/PROTOCOL/history_wide.csv

A core without AVX-512 trains 300 images a second, so the 10,000 iterations of `published` take an hour and the 6,000 of
`official` 40 minutes; with AVX-512 700. README.md shows the figures to expect. `--time-budget MINUTES` ends training
early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import wide
from stages.training_stage import main

if __name__ == "__main__":
    main("wide", wide.build)
