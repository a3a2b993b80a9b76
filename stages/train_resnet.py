"""Train ResNet-34 under one protocol.

    dvc repro train_resnet@official          (all protocols: dvc repro train_resnet)

reads   the filtered face table, the blocks ``train_resnet`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/resnet/, reports/PROTOCOL/history_resnet.csv

With a `start` in the recipe, ten layers are trained first, at 180 images a second on a core without AVX-512, and the 34
grow from them, at 50. So `official` takes an hour and a half and `published` half an hour. README.md shows the
figures to expect; the study's 14,000 iterations are work for a GPU. `--time-budget MINUTES` ends the second training
early. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.growing import train_growing
from facial_expression.networks import resnet34
from stages.training_stage import main

if __name__ == "__main__":
    main("resnet", resnet34.build, train_growing)
