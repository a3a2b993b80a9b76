"""What a variant changes."""

from dataclasses import replace

import pytest

from facial_expression.evaluation.variants import difference
from facial_expression.params import load_params
from helpers.project import ROOT

ORIGINAL = next(iter(load_params(ROOT / "params.yaml").runs_of("study").values()))


def vary(recipe=None, **changes):
    varied = ORIGINAL.recipe.model_copy(update=recipe or {})
    return replace(ORIGINAL, name="varied", variant_of=ORIGINAL.name, recipe=varied, **changes)


@pytest.mark.parametrize(
    ("variant", "what"),
    [
        (vary({"seed": 2}), "seed"),
        (vary(share=0.5), "share"),
        (vary({"iterations": 7, "snapshot_every": 7, "validate_every": 7}, share=0.5), "share"),
        (vary(unleaked=True), "unleaked"),
        (vary({"seed": 2}, share=0.5), "other"),
        (vary({"iterations": 7}), "other"),
        (vary(input="decoded"), "other"),
        (vary(), "other"),
    ],
)
def test_names_the_one_thing_that_differs(variant, what):
    assert difference(variant, ORIGINAL) == what
