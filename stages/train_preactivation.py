"""Train the narrow pre-activation network under one protocol.

    dvc repro train_preactivation@official          (all protocols: dvc repro train_preactivation)

reads   the filtered face table and the one that ``pictures`` names, the blocks ``train_preactivation`` and ``runtime``
        of params.yaml
writes  models/PROTOCOL/preactivation/, reports/PROTOCOL/history_preactivation.csv

A core without AVX-512 trains 160 to 240 images a second, one with it 350 to 650. README.md shows the figures to expect.
`--time-budget MINUTES` ends training early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import preactivation
from stages.training_stage import main

if __name__ == "__main__":
    main("preactivation", preactivation.build)
