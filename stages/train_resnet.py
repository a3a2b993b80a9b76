"""Train ResNet-34 under one protocol.

    dvc repro train_resnet@official          (all protocols: dvc repro train_resnet)

reads   the filtered face table and the one that ``pictures`` names, models/PROTOCOL/resnet10/, the blocks
        ``train_resnet`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/resnet/, reports/PROTOCOL/history_resnet.csv

A core with AVX-512 trains 80 to 120 images a second, and about 50 where the recipe leaves out the pooling in the stem;
one without it half as many or fewer. With `grow` in the recipe the 34 layers begin with what ten have learned; without
it they begin from nothing, and the study's 14,000 iterations are work for a GPU.
README.md shows the figures to expect. `--time-budget MINUTES` ends training early. An interrupted run goes on from
.checkpoints/ when it is started again.
"""

from pathlib import Path

from facial_expression import growing, training
from facial_expression.networks import resnet34
from stages.training_stage import main


def train(network, recipe, classes, model_directory, **arguments):
    arguments |= {"classes": classes, "model_directory": model_directory}
    if recipe.grow:
        return growing.train_grown(network, recipe, Path(model_directory).with_name("resnet10"), **arguments)
    return training.train(network, recipe, **arguments)


if __name__ == "__main__":
    main("resnet", resnet34.build, train)
