"""What the variants of a run differ in, and their records."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from facial_expression.evaluation.models import Model
from facial_expression.params import Run

_SCHEDULE = ("iterations", "snapshot_every", "validate_every")


def difference(variant: Run, original: Run) -> Literal["seed", "share", "unleaked", "other"]:
    """The one thing that a variant changes, ``other`` if it is none of these, nothing or more than one.

    A ``share`` may come with fewer iterations, so that each face is seen as often.
    """
    same = replace(original, name=variant.name, stage=variant.stage, variant_of=variant.variant_of)
    if variant == same:
        return "other"
    if variant == _with_recipe(same, variant, ["seed"]):
        return "seed"
    if variant == replace(_with_recipe(same, variant, _SCHEDULE), share=variant.share) and variant.share < 1:
        return "share"
    if variant == replace(same, unleaked=variant.unleaked):
        return "unleaked"
    return "other"


def _with_recipe(run: Run, other: Run, keys: Sequence[str]) -> Run:
    """The run with some keys of another one's recipe."""
    return replace(run, recipe=run.recipe.model_copy(update={key: getattr(other.recipe, key) for key in keys}))


def variant_records(
    models: Sequence[Model],
    runs: Mapping[str, Run],
    training_faces: Mapping[str, int],
    parameters: Mapping[str, int],
) -> dict[str, dict[str, Any]]:
    """The records of the variants' models, ready for JSON.

    Args:
        models: what :func:`facial_expression.evaluation.models.evaluate_runs` makes of the variants.
        runs: all runs by name.
        training_faces: variant -> number of faces that it trains on.
        parameters: run -> number of parameters of its network.

    Returns:
        Model -> its record with ``variant_of`` (the model that it belongs to), ``what`` (its :func:`difference`),
        ``seed`` and ``training_faces``.
    """
    records = {}
    for model in models:
        (name,) = model.snapshots
        run = runs[name]
        original = runs[run.variant_of or name]
        records[model.name] = {
            "variant_of": model.name.replace(name, original.name, 1),
            "what": difference(run, original),
            "seed": run.recipe.seed,
            "training_faces": training_faces[name],
            **model.record(parameters),
        }
    return records
