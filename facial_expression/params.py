"""Typed parameters: what ``params.yaml`` may say.

Each class below is one block of the file. An unknown key, a wrong type or a value out of range is an error that names
the key and says what is allowed; nothing is ever filled in silently, so a key that is missing is an error too.
"""

import reprlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from facial_expression.emotions import NAMES, in_order

Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
PositiveInt = Annotated[int, Field(ge=1)]

_FORMS = {
    r"^[\w.-]+/[\w.-]+$": "of the form owner/name",
    r"^[0-9a-f]{32}$": "32 lower-case hexadecimal digits",
}
_OWNER_AND_NAME, _MD5 = _FORMS


class ParamsError(ValueError):
    """``params.yaml`` is not as it must be; the message lists every key that is wrong and what is allowed."""


class Block(BaseModel):
    """What all blocks share: no unknown keys, no conversion between types, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _is_process_count(workers: int) -> int:
    if workers == 0:
        raise ValueError("must be -1 (one per core) or 1 and more, not 0")
    return workers


class Runtime(Block):
    backend: Literal["tensorflow", "jax", "torch"]
    onednn: Annotated[int, Field(ge=0, le=1)]
    threads: Annotated[int, Field(ge=0, le=1024)]
    workers: Annotated[int, Field(ge=-1, le=1024), AfterValidator(_is_process_count)]


class Download(Block):
    dataset: Literal["fer2013", "synthetic"]
    archive: str | None
    kaggle_handle: Annotated[str, Field(pattern=_OWNER_AND_NAME)]
    md5: Annotated[str, Field(pattern=_MD5)] | None
    synthetic_faces: Annotated[int, Field(ge=50, le=1_000_000)]
    synthetic_seed: Seed


class Pass(Block):
    upsampling: Annotated[int, Field(ge=0, le=3)]
    enlargement: Annotated[int, Field(ge=1, le=8)]
    border: Annotated[int, Field(ge=0, le=48)]


class Align(Block):
    passes: Annotated[list[Pass], Field(min_length=1, max_length=8)]
    landmark_enlargement: Annotated[int, Field(ge=1, le=8)]
    landmark_set: Literal["inner_eyes_and_bottom_lip", "outer_eyes_and_nose"]
    border: Literal["black", "replicate"]
    size: Annotated[int, Field(ge=24, le=224)]
    margin: Annotated[float, Field(ge=0, lt=0.5)]
    missing: Literal["frame", "drop"]


def _leaves_two_classes(names: list[str]) -> list[str]:
    if len(set(names)) > len(NAMES) - 2:
        raise ValueError("must leave at least two classes")
    return list(in_order(names))


Drop = Annotated[list[Literal[NAMES]], AfterValidator(_leaves_two_classes)]


class FilterClasses(Block):
    drop: Drop
    training_share: Annotated[float, Field(gt=0, lt=1)]
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed

    @model_validator(mode="after")
    def _leaves_a_test_part(self):
        if self.training_share + self.validation_share >= 1:
            raise ValueError(
                "training_share and validation_share together must stay below 1: the rest is the test part"
            )
        return self


class Augmentation(Block):
    flip: Fraction
    shift: Annotated[float, Field(ge=0, le=24)]
    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    contrast: Annotated[float, Field(ge=0, lt=1)]
    cutout: Annotated[int, Field(ge=0, le=48)]
    mixup: Annotated[float, Field(ge=0, le=10)]


class Recipe(Block):
    pictures: Literal["aligned", "framed", "decoded"]
    iterations: PositiveInt
    snapshot_every: PositiveInt
    validate_every: PositiveInt
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    optimizer: Literal["rmsprop", "sgd", "adam"]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    schedule: Literal["constant", "cosine"]
    warmup: Annotated[int, Field(ge=0)]
    weight_decay: Fraction
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    moving_average: Annotated[float, Field(ge=0, lt=1)]
    augmentation: Augmentation
    time_budget: Annotated[float, Field(ge=0, le=100_000)]
    seed: Seed

    @model_validator(mode="after")
    def _intervals_fit(self):
        if self.snapshot_every % self.validate_every or self.iterations % self.snapshot_every:
            raise ValueError(
                "snapshot_every must be a multiple of validate_every, and iterations a multiple of snapshot_every"
            )
        if self.warmup >= self.iterations:
            raise ValueError("warmup must be below iterations")
        return self

    @property
    def architecture(self) -> dict[str, bool]:
        """What the network's ``build`` takes beside the number of classes and the size of the pictures."""
        return {}


class ResidualRecipe(Recipe):
    stem_pool: bool

    @property
    def architecture(self) -> dict[str, bool]:
        return {"stem_pool": self.stem_pool}


class GrowingRecipe(ResidualRecipe):
    grow: bool


class RecipeByProtocol(Block):
    published: Recipe
    official: Recipe


class ResidualRecipeByProtocol(Block):
    published: ResidualRecipe
    official: ResidualRecipe


class GrowingRecipeByProtocol(Block):
    published: GrowingRecipe
    official: GrowingRecipe


class Prediction(Block):
    flip: bool


class PredictionByProtocol(Block):
    published: Prediction
    official: Prediction


class Evaluation(Block):
    protocol: Literal["published", "official"]
    drop: Drop
    temperature: bool
    ensemble_last: PositiveInt
    family_weights: Literal["fitted", "equal"]
    bootstrap_samples: Annotated[int, Field(ge=100, le=1_000_000)]
    seed: Seed


class Evaluations(Block):
    published: Evaluation
    official: Evaluation
    seven: Evaluation


REPORTS = tuple(Evaluations.model_fields)
"""The names of what is measured, each a directory in ``reports/``."""


class Export(Block):
    protocol: Literal["published", "official"]
    opset: Annotated[int, Field(ge=13, le=18)]
    calibration_faces: PositiveInt
    doubt: Fraction
    largest_loss: Annotated[float, Field(gt=0, le=1)]


class Params(Block):
    runtime: Runtime
    download: Download
    align: Align
    filter_classes: FilterClasses
    train_shallow: RecipeByProtocol
    train_wide: RecipeByProtocol
    train_resnet10: ResidualRecipeByProtocol
    train_resnet: GrowingRecipeByProtocol
    train_preactivation: RecipeByProtocol
    train_uncropped: RecipeByProtocol
    predict: PredictionByProtocol
    evaluate: Evaluations
    export: Export

    @model_validator(mode="after")
    def _what_grows_sees_what_it_grew_from_saw(self):
        for protocol in RecipeByProtocol.model_fields:
            grown, shallower = getattr(self.train_resnet, protocol), getattr(self.train_resnet10, protocol)
            for key in ("pictures", "stem_pool"):
                if grown.grow and getattr(grown, key) != getattr(shallower, key):
                    raise ValueError(
                        f"train_resnet.{protocol} grows from train_resnet10.{protocol}: "
                        f"{key} must be the same in both, or grow false"
                    )
        return self


FAMILIES = tuple(name.removeprefix("train_") for name in Params.model_fields if name.startswith("train_"))
"""The names of the networks, in the order of every table."""


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises:
        ParamsError: the file is missing, is not YAML, or does not fit; the message names the file and every wrong key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} is missing: run from the directory that holds it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} cannot be read: {error}") from error
    try:
        # As DVC reads it: YAML 1.2, where 1e-5 is a number (DVC itself writes it so) and a repeated key is an error.
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from error
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = [f"  {_describe(problem)}" for problem in error.errors()]
        entries = "entry" if len(lines) == 1 else "entries"
        raise ParamsError("\n".join([f"{path} has {len(lines)} wrong {entries}:", *lines])) from None


def _describe(problem: dict) -> str:
    location, kind = problem["loc"], problem["type"]
    key = ".".join(map(str, location)) or "the whole file"
    if kind == "missing":
        return f"{key}: missing"
    if kind in ("extra_forbidden", "invalid_key"):
        return f"{key}: unknown key; allowed here are {', '.join(_keys_of(location[:-1]))}"
    reason = _plain(problem["msg"])
    if kind in ("value_error", "too_short", "too_long"):
        return f"{key}: {reason}"
    if kind == "model_type":
        reason = f"must be a block of the keys {', '.join(_keys_of(location))}"
    if kind == "string_pattern_mismatch":
        reason = f"must be {_FORMS[problem['ctx']['pattern']]}"
    return f"{key}: {reason}, not {reprlib.repr(problem['input'])}"


def _plain(message: str) -> str:
    """A message of pydantic without the words that only programmers expect."""
    for phrase, plain in (("Value error, ", ""), ("Input should", "must"), ("List should", "must")):
        message = message.replace(phrase, plain)
    return message.replace(" after validation", "")


def _keys_of(location: tuple) -> list[str]:
    """The keys of the block at this place of the file."""
    block = Params
    for part in location:
        if isinstance(part, int):
            continue
        annotation = block.model_fields[part].annotation
        block = next(
            kind for kind in (annotation, *getattr(annotation, "__args__", ())) if hasattr(kind, "model_fields")
        )
    return list(block.model_fields)
