"""Train the ten layers that ResNet-34 grows from, a family of its own, under one protocol.

    dvc repro train_resnet10@official          (all protocols: dvc repro train_resnet10)

reads   the filtered face table and the one that ``pictures`` names, the blocks ``train_resnet10`` and ``runtime`` of
        params.yaml
writes  models/PROTOCOL/resnet10/, reports/PROTOCOL/history_resnet10.csv

A core with AVX-512 trains 350 to 450 images a second, and 150 to 200 where the recipe leaves out the pooling in the
stem; one without it half as many or fewer. README.md shows the figures to expect.
`--time-budget MINUTES` ends training early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import resnet10
from stages.training_stage import main

if __name__ == "__main__":
    main("resnet10", resnet10.build)
