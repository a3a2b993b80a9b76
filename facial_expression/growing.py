"""Training ResNet-34 by growing it: ten layers first, which cost a quarter per picture, then all 34.

Where time is short, a deep network learns most of what it knows while it is still shallow (Gong et al., "Efficient
Training of BERT by Progressively Stacking", ICML 2019, measure the same for transformers).
"""

from pathlib import Path

import keras
import pandas as pd

from facial_expression import snapshots
from facial_expression.atomic import remove, replacing
from facial_expression.facetable import LabelledImages
from facial_expression.networks import resnet34
from facial_expression.params import GrowingRecipe, Recipe
from facial_expression.training import fingerprint, train

START_BLOCKS = (1, 1, 1, 1)


def train_growing(
    network: keras.Model,
    recipe: GrowingRecipe,
    classes: tuple[str, ...],
    training: LabelledImages,
    validation: LabelledImages,
    model_directory: str | Path,
    workspace: str | Path,
    description: dict | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train ResNet-34 and write it as a model directory, starting with ten layers if the recipe has a ``start``.

    Args and errors are those of :func:`facial_expression.training.train`. The first training is as resumable as the
    second; a time budget is the second's alone.

    Returns:
        History of both trainings as ``train`` returns it, the iterations of the second following those of the first.
    """
    faces = {"classes": classes, "training": training, "validation": validation, "progress": progress}
    outputs = {"model_directory": model_directory, "workspace": workspace, "description": description}
    if recipe.start is None:
        return train(network, recipe, **faces, **outputs)
    start = Path(f"{workspace}_start")
    history = _train_start(network, recipe, start, faces, description or {})
    shallower = snapshots.load_network(start / "model")
    snapshots.load_snapshot(shallower, start / "model", recipe.start.iterations)
    resnet34.grow(shallower, network)
    later = train(network, recipe, **faces, **outputs)
    if later["iteration"].iloc[-1] == recipe.iterations:
        remove(start)
    later["iteration"] += recipe.start.iterations
    return pd.concat([history, later], ignore_index=True)


def _train_start(
    network: keras.Model, recipe: GrowingRecipe, directory: Path, faces: dict, description: dict
) -> pd.DataFrame:
    """Train the ten layers into ``directory/model``, or find that it has been done; their history."""
    shallower = resnet34.build(network.output_shape[-1], network.input_shape[1], START_BLOCKS)
    changes = {**recipe.start.model_dump(), "validate_every": recipe.start.snapshot_every, "time_budget": 0.0}
    recipe = Recipe.model_validate(recipe.model_dump(exclude={"start"}) | changes)
    about = {**description, "recipe": recipe.model_dump()}
    run = fingerprint(shallower, about, faces["training"], faces["validation"])
    history = directory / "history.csv"
    if not history.exists() or snapshots.read_description(directory / "model")["run"] != run:
        remove(history)  # else it could stand beside another run's model
        outputs = {"model_directory": directory / "model", "workspace": directory / "workspace"}
        trained = train(shallower, recipe, **faces, **outputs, description={"run": run})
        with replacing(history) as temporary:
            trained.to_csv(temporary, index=False)
    return pd.read_csv(history)
