"""The settings in ``params.yaml``, typed.

Each class is a block of the file. An unknown key, a wrong type or a value out of range is an error that names the key
and what is allowed. Recipes alone have defaults: what a recipe leaves out is off. The docstring below a key says what
it means; ``make readme`` writes the tables of docs/params.md from types, defaults and docstrings.
"""

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from ruamel.yaml import YAML, YAMLError

from facial_expression import networks
from facial_expression.errors import UserError

Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
PositiveInt = Annotated[int, Field(ge=1)]

FORMS = {
    r"^[\w.-]+/[\w.-]+$": "of the form owner/name",
    r"^[0-9a-f]{32}$": "32 lower-case hexadecimal digits",
    r"^[a-z0-9]+(-[a-z0-9]+)*$": "lower-case letters, digits and single hyphens",
    r"^[^\W\d_]([\w -]{0,38}\w)?$": "at most 40 letters, digits, blanks, hyphens and underscores, a letter first",
    r"^(tcp|tls|ucx|ws|wss)://\S+$": "an address such as tcp://host:8786",
}
"""Pattern -> what it allows, in words."""

OWNER_AND_NAME, MD5, NAME, CLASS_NAME, SCHEDULER = FORMS
Name = Annotated[str, Field(pattern=NAME)]
"""Of a run, a recipe or a report: part of file names and of DVC's stage names."""
ClassName = Annotated[str, Field(pattern=CLASS_NAME)]


class ParamsError(UserError):
    """``params.yaml`` is invalid; the message lists every wrong key and what is allowed."""


class Block(BaseModel):
    """A block of the file: no unknown keys, no conversion between types, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _is_process_count(workers: int) -> int:
    if workers == 0:
        raise ValueError("must be -1 (one per core) or 1 and more, not 0")
    return workers


ProcessCount = Annotated[
    int, Field(ge=-1, le=1024, json_schema_extra={"not": {"const": 0}}), AfterValidator(_is_process_count)
]


class Runtime(Block):
    backend: Literal["tensorflow", "jax", "torch"]
    """`jax` and `torch` once installed; each gives other weights, so every run trains again"""
    onednn: Annotated[int, Field(ge=0, le=1)]
    """1 makes TensorFlow two to six times faster on CPUs; 0 for comparisons"""
    threads: Annotated[int, Field(ge=0, le=1024)]
    """threads per operation, 0 for all cores; another number changes the last digits, so every run trains again"""
    devices: Annotated[int, Field(ge=1, le=1024)]
    """GPUs that share each batch of a training; parts of the CPU without a GPU; more than one needs `tensorflow`, and
    other weights follow"""
    workers: ProcessCount
    """processes of `decode`, of `align` and of the synthetic sample, -1 for one per core; never changes results"""
    scheduler: Annotated[str, Field(pattern=SCHEDULER)] | None
    """Dask scheduler whose workers decode pictures and align instead ([Scaling](scaling.md)); never changes results"""


def _are_distinct(names: list[str]) -> list[str]:
    for number, name in enumerate(names):
        if name.casefold() in (other.casefold() for other in names[:number]):
            raise ValueError(f"{name!r} stands twice")
    return names


Classes = Annotated[
    list[ClassName],
    Field(min_length=2, max_length=100, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_are_distinct),
]


class Download(Block):
    dataset: Literal["fer2013", "folder", "synthetic"]
    """a CSV in the format of FER2013, a folder of pictures, or synthetic faces"""
    archive: str | None
    """path of a `.csv`, `.csv.gz`, `.tar`, `.tar.gz` or `.zip` file; the environment variable `FER2013_ARCHIVE` takes
    precedence"""
    folder: str | None
    """path of a folder of pictures, or of a CSV that lists them; the environment variable `FACES_FOLDER` takes
    precedence"""
    kaggle_handle: Annotated[str, Field(pattern=OWNER_AND_NAME)]
    """the public Kaggle data set to download if there is no archive"""
    md5: Annotated[str, Field(pattern=MD5)]
    """MD5 of the CSV, or of the list of pictures: it says which data is used, so another one makes everything run
    again"""
    synthetic_faces: Annotated[int, Field(ge=50, le=1_000_000)]
    """size of the synthetic sample"""
    synthetic_seed: Seed
    """seed of the synthetic sample"""


def _with_text_keys(labels: Any) -> Any:
    return {str(label): name for label, name in labels.items()} if isinstance(labels, dict) else labels


class Decode(Block):
    size: Annotated[int, Field(ge=24, le=224)]
    """side of all pictures in pixels; those of a CSV must have it, those of a folder are scaled to it"""
    codes: Literal["fer2013", "raf-db", "affectnet", "classes"]
    """what numbers mean as labels: the codes of a data set, or places in `classes`"""
    labels: Annotated[dict[str, ClassName | None], BeforeValidator(_with_text_keys)]
    """label to class, or to `null` to leave its faces out; precedes names and codes"""
    faces: Literal["detect", "whole"]
    """pictures of a folder: `detect` cuts out the largest face, `whole` takes them as they are"""
    missing: Literal["drop", "whole"]
    """pictures of a folder without a face: `drop` leaves them out, `whole` takes them as they are"""
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    """of each class, drawn from the training faces if the data has no validation part"""
    test_share: Annotated[float, Field(gt=0, lt=1)]
    """of each class, drawn from the training faces if the data has no test part"""
    seed: Seed
    """of these draws"""

    @model_validator(mode="after")
    def _leaves_a_training_part(self) -> "Decode":
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share together must stay below 1: the rest is for training")
        return self


class Pass(Block):
    upsampling: Annotated[int, Field(ge=0, le=3)]
    """how often dlib doubles the picture, after border and enlargement"""
    enlargement: Annotated[int, Field(ge=1, le=8)]
    """factor of a cubic enlargement before that"""
    border: Annotated[int, Field(ge=0, le=48)]
    """width in pixels of a border of repeated edge pixels, added first"""


class Align(Block):
    passes: Annotated[list[Pass], Field(min_length=1, max_length=8)]
    """detector passes, tried in turn until dlib finds a face; the first one is the study's and decides who is in
    `study`"""
    landmark_enlargement: Annotated[int, Field(ge=1, le=8)]
    """1 places landmarks on whole pixels, 4 on quarters"""
    landmark_set: Literal["inner_eyes_and_bottom_lip", "outer_eyes_and_nose"]
    """the three landmarks of the aligned crop; the first set is the study's"""
    border: Literal["black", "replicate"]
    """what fills an aligned crop outside the image; `black` is the study's"""
    size: Annotated[int, Field(ge=24, le=224)]
    """side of all crops in pixels"""
    margin: Annotated[float, Field(ge=0, lt=0.5)]
    """room around the face in an aligned crop, as a fraction of its side"""
    missing: Literal["center", "drop"]
    """a face that dlib does not find: `center` crops it like an average face, `drop` leaves it out; `official` needs
    `center`"""


class FilterClasses(Block):
    drop: list[str]
    """classes left out of the protocol `study`"""
    training_share: Annotated[float, Field(gt=0, lt=1)]
    """of the random split of `study`"""
    validation_share: Annotated[float, Field(gt=0, lt=1)]
    """of the same split; the rest is the test set"""
    seed: Seed
    """of that split"""

    @model_validator(mode="after")
    def _leaves_a_test_part(self) -> "FilterClasses":
        if self.training_share + self.validation_share >= 1:
            raise ValueError(
                "training_share and validation_share together must stay below 1: the rest is the test part"
            )
        return self


class Augmentation(Block):
    flip: Fraction = 0.0
    """probability of a mirror image; 0.5 costs nothing"""
    shift: Annotated[float, Field(ge=0, le=24)] = 0.0
    """at most this many pixels"""
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    """at most this many degrees"""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """at most this fraction"""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """gain and brightness, at most this fraction"""
    cutout: Annotated[int, Field(ge=0, le=48)] = 0
    """side of a gray square in pixels"""
    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    """parameter of the Beta distribution; 0.2 is common"""


class Recipe(Block):
    """How to train. The defaults are off."""

    iterations: PositiveInt
    """weight updates"""
    snapshot_every: PositiveInt
    """iterations between snapshots, which form the snapshot ensemble"""
    validate_every: PositiveInt
    """iterations between validations, the points of the learning curves"""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 100
    """images per update"""
    optimizer: Literal["rmsprop", "sgd", "adam"]
    """`rmsprop` has decay 0.9, `sgd` Nesterov momentum 0.9"""
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    """with `cosine`, the highest one"""
    schedule: Literal["constant", "cosine"] = "constant"
    """of the learning rate; `cosine` decays to zero at the last iteration"""
    warmup: Annotated[int, Field(ge=0)] = 0
    """iterations of linear warmup, with `cosine`"""
    weight_decay: Fraction = 0.0
    """decoupled; 0.0001 to 0.01 for long runs"""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """0.1 suits noisy labels"""
    moving_average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """decay of the weights' moving average, which snapshots then hold; 0.999 for long runs"""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """`mixed_bfloat16` computes hidden layers in 16 bits, 1.2 times as fast with AVX-512 BF16; weights stay
    float32"""
    augmentation: Augmentation = Augmentation()
    """random changes of every training image"""
    time_budget: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    """minutes after which training ends with what it has, at the next validation; 0 for none"""
    seed: Seed = 1
    """of weights, batches and augmentation"""

    @model_validator(mode="after")
    def _intervals_fit(self) -> "Recipe":
        if self.snapshot_every % self.validate_every or self.iterations % self.snapshot_every:
            raise ValueError(
                "snapshot_every must be a multiple of validate_every, and iterations a multiple of snapshot_every"
            )
        if self.warmup >= self.iterations:
            raise ValueError("warmup must be below iterations")
        if self.warmup and self.schedule != "cosine":
            raise ValueError("warmup needs schedule: cosine")
        return self


_YAML_1_1_SWITCHES = ("yes", "no", "on", "off", "y", "n")


class Network(BaseModel):
    """A module of :mod:`facial_expression.networks` and the arguments of its ``build``."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    module: str
    """name of a module in `facial_expression/networks/`"""

    @model_validator(mode="after")
    def _module_has_arguments(self) -> "Network":
        if self.module not in networks.available():
            raise ValueError(f"module must be one of {', '.join(networks.available())}, not {self.module!r}")
        allowed = networks.arguments_of(self.module)
        unknown = sorted(set(self.arguments) - set(allowed))
        if unknown:
            raise ValueError(f"unknown key {unknown[0]}; allowed here are {', '.join(['module', *allowed])}")
        for key, value in self.arguments.items():
            if isinstance(value, str) and value.lower() in _YAML_1_1_SWITCHES:  # text in YAML 1.2, and so not false
                raise ValueError(f"{key} must be true or false, not {value!r}")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class RunBlock(Block):
    """One training: what it trains on what, and by which recipe. Keys of a recipe override those of the named one."""

    protocol: Literal["study", "official"]
    """how the data is split"""
    network: Network
    """a module, and beside it the arguments of its `build`"""
    input: Literal["aligned", "centered", "decoded"]
    """what the network sees ([Inputs](results.md#inputs))"""
    recipe: Name
    """name of a recipe"""
    variant_of: Name | None = None
    """name of a run that this one repeats with another seed, fewer faces or the like; variants are in no ensemble and
    no table of results"""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """fraction of the training faces to train on, of each class"""
    unleaked: bool = False
    """`true` leaves out training faces whose picture also stands in another part"""


_RESERVED = ("ensemble", "served", "row", "emotion", "pixels", "probabilities")
"""What models, columns of tables and tensors of the served file are called."""

_RECIPE_TYPES: dict[str, Any] = {name: field.annotation for name, field in Recipe.model_fields.items()}
_OVERRIDES: dict[str, Any] = {name: (kind | None, None) for name, kind in _RECIPE_TYPES.items()}
CompleteRunBlock: Any = create_model("CompleteRunBlock", __base__=RunBlock, **_OVERRIDES)


@dataclass(frozen=True)
class Run:
    """One training with its complete recipe.

    Attributes:
        name: its key in params.yaml, unique among all runs.
        stage: the group that it stands in, whose stage ``train_<stage>`` trains it.
        protocol: ``study`` or ``official``.
        network: module and arguments.
        input: the faces that it sees: ``aligned``, ``centered`` or ``decoded``.
        variant_of: the run that this one repeats with something changed, to see what the change does. Variants are in
            no ensemble and no table of results, and are never exported.
        share: fraction of the training faces to train on.
        unleaked: whether to leave out training faces whose picture also stands in another part.
        recipe: the named recipe with the run's own keys.
    """

    name: str
    stage: str
    protocol: str
    network: Network
    input: str
    variant_of: str | None
    share: float
    unleaked: bool
    recipe: Recipe


class Runs(Block):
    """Runs by name, grouped by the stage that trains them."""

    shallow: dict[Name, CompleteRunBlock]
    """the study's shallow network"""
    wide: dict[Name, CompleteRunBlock]
    """the study's wide network"""
    resnet: dict[Name, CompleteRunBlock]
    """residual networks, and any other network"""


STAGES = tuple(Runs.model_fields)
"""The groups of runs, each trained by the stage ``train_<group>``."""


class ViewsBlock(Block):
    """The arguments of :class:`facial_expression.views.Views`. The defaults are off."""

    mirror: bool = False
    """also the mirror image of each view"""
    shift: Annotated[float, Field(ge=0, le=24)] = 0.0
    """eight views, moved by this many pixels to all sides and corners"""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """two views, smaller and larger by this fraction"""
    rotation: Annotated[float, Field(ge=0, lt=180)] = 0.0
    """two views, turned by this many degrees to the left and to the right"""


class Prediction(Block):
    snapshots: PositiveInt
    """how many of a run's last snapshots predict; a report's `ensemble_last` is at most this"""
    views: ViewsBlock
    """views of a face whose predictions are averaged with that of the face itself, in serving as well; each takes its
    time"""


class PredictionByProtocol(Block):
    study: Prediction
    """of the runs under the study's protocol"""
    official: Prediction
    """of the runs under FER2013's own split"""


class Evaluation(Block):
    protocol: Literal["study", "official"]
    """whose runs are measured"""
    drop: list[str]
    """classes that do not count: their faces are left out, and predictions are renormalized"""
    temperature: bool
    """whether to divide the logits by a temperature fitted on the validation set"""
    ensemble_last: PositiveInt
    """how many of a run's last snapshots form its ensemble; the study took nine"""
    ensemble_weights: Literal["fitted", "equal"]
    """of the ensemble of all runs: `fitted` on the validation set, or `equal`"""
    bootstrap_samples: Annotated[int, Field(ge=100, le=1_000_000)]
    """of the intervals"""
    seed: Seed
    """of the intervals"""


class Crowd(Block):
    labels: str | None
    """path of `fer2013new.csv`; the environment variable `FERPLUS_LABELS` takes precedence"""
    md5: Annotated[str, Field(pattern=MD5)] | None
    """MD5 of that file: it says which labels are used; `null` leaves the crowd out"""


class Audit(Block):
    hash_distance: Annotated[int, Field(ge=0, le=32)]
    """bits of 64 in which the perceptual hashes of two pictures may differ for them to be compared"""
    correlation: Fraction
    """of the gray levels of two pictures that count as near duplicates, at least"""


class Probe(Block):
    faces: PositiveInt
    """test faces that are damaged to measure the robustness of a network"""
    occlusion_faces: PositiveInt
    """test faces of each class for its occlusion map"""
    seed: Seed
    """of both choices, and of noise, places and directions"""


class Export(Block):
    report: Name
    """what is served predicts the classes of this report"""
    runs: list[Name]
    """runs whose best snapshots are averaged and served as one file; with none, the best single snapshot trained on
    `input`"""
    input: Literal["aligned", "centered"]
    """the faces that all served networks see, whatever they were trained on"""
    opset: Annotated[int, Field(ge=13, le=18)]
    """of ONNX; lower it only for an old runtime"""
    calibration_faces: PositiveInt
    """training faces that set the ranges of the int8 variant"""
    confidence_threshold: Fraction
    """predictions below the card's threshold have at most this accuracy on validation faces"""
    max_accuracy_drop: Annotated[float, Field(gt=0, le=1)]
    """the smallest variant that loses less validation accuracy than this is served"""


class Params(Block):
    runtime: Runtime
    """library, threads and devices that compute"""
    classes: Classes
    """names of all classes, in the order of tables, figures and networks' outputs"""
    download: Download
    """which data, and where it comes from"""
    decode: Decode
    """how the data becomes pictures with labels"""
    align: Align
    """how faces are found and cropped"""
    filter_classes: FilterClasses
    """how the protocol `study` chooses and splits faces"""
    recipes: dict[Name, Recipe]
    """how to train; several runs can share one"""
    runs: Runs
    """what is trained on what, and by which recipe"""
    predict: PredictionByProtocol
    """how the runs of a protocol predict"""
    evaluate: dict[Name, Evaluation]
    """what the reports measure"""
    crowd: Crowd
    """labels of ten people for every picture, to compare with"""
    audit: Audit
    """which pictures are near duplicates"""
    probe: Probe
    """how every network is examined"""
    export: Export
    """what is served"""

    @model_validator(mode="after")
    def _dropped_classes_fit(self) -> "Params":
        dropped = {f"evaluate.{name}.drop": evaluation.drop for name, evaluation in self.evaluate.items()}
        dropped = {"filter_classes.drop": self.filter_classes.drop, **dropped}
        unknown = {key: sorted(set(names) - set(self.classes)) for key, names in dropped.items()}
        wrong = [f"{key} ({', '.join(names)})" for key, names in unknown.items() if names]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: must be among classes: {', '.join(self.classes)}")
        for key, names in dropped.items():
            report = self.evaluate.get(key.removeprefix("evaluate.").removesuffix(".drop"))
            before = self.filter_classes.drop if report and report.protocol == "study" else []
            if len({*before, *names}) > len(self.classes) - 2:
                raise ValueError(f"{key}: must leave at least two classes")
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> "Params":
        for label, name in self.decode.labels.items():
            if name is not None and name not in self.classes:
                raise ValueError(
                    f"decode.labels.{label}: must be null or one of {', '.join(self.classes)}, not {name!r}"
                )
        return self

    @model_validator(mode="after")
    def _runs_fit(self) -> "Params":
        seen: set[str] = set()
        for stage, name, block in self._run_blocks():
            where = f"runs.{stage}.{name}"
            if name in seen:
                raise ValueError(f"{where}: there is another run of this name")
            if name in _RESERVED or name.endswith("-ensemble"):
                reserved = ", ".join(_RESERVED)
                raise ValueError(f"{where}: the name of a run must not end in -ensemble or be one of {reserved}")
            self._check_run(where, block)
            seen.add(name)
        return self

    def _check_run(self, where: str, block: Any) -> None:
        if block.recipe not in self.recipes:
            raise ValueError(f"{where}.recipe: must be one of {', '.join(self.recipes)}, not {block.recipe!r}")
        for key in Recipe.model_fields:
            if key in block.model_fields_set and getattr(block, key) is None:
                raise ValueError(f"{where}.{key}: must not be null; leave it out to take that of the recipe")
        originals = [name for _, name, other in self._run_blocks() if self._may_vary(block, other)]
        if block.variant_of and block.variant_of not in originals:
            raise ValueError(f"{where}.variant_of: must be one of {', '.join(originals)}, not {block.variant_of!r}")
        try:
            recipe = _merge(self.recipes[block.recipe], block)
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join([where, *map(str, problem["loc"])])
            value = f", not {reprlib.repr(problem['input'])}" if problem["loc"] else ""
            raise ValueError(f"{key}: {_plain(problem['msg'])}{value}") from None
        if recipe.batch_size % self.runtime.devices:
            raise ValueError(
                f"{where}.batch_size: must be a multiple of runtime.devices, {self.runtime.devices}, "
                f"not {recipe.batch_size}"
            )

    @model_validator(mode="after")
    def _reports_fit(self) -> "Params":
        for name, evaluation in self.evaluate.items():
            predicted = self.prediction_of(evaluation.protocol).snapshots
            if evaluation.ensemble_last > predicted:
                raise ValueError(
                    f"evaluate.{name}.ensemble_last: must be at most predict.{evaluation.protocol}.snapshots, "
                    f"{predicted}, not {evaluation.ensemble_last}"
                )
        served = [name for name, evaluation in self.evaluate.items() if evaluation.protocol == "official"]
        if self.export.report not in served:  # a served model must know every class of the data
            raise ValueError(f"export.report: must be one of {', '.join(served)}, not {self.export.report!r}")
        runs = self.runs_of("official")
        unknown = [name for name in self.export.runs if name not in runs]
        if unknown:
            raise ValueError(f"export.runs: must be of {', '.join(runs) or 'no run'}, not {unknown[0]!r}")
        inputs = {runs[name].input for name in self.export.runs}
        if "decoded" in inputs and self.decode.size != self.align.size:
            raise ValueError(
                f"export.runs: networks that saw decoded pictures are served {self.export.input} faces, so align.size "
                f"must be decode.size, {self.decode.size}, not {self.align.size}"
            )
        return self

    @property
    def all_runs(self) -> dict[str, Run]:
        """All runs by name, in the order of the file."""
        runs = {}
        for stage, name, block in self._run_blocks():
            about = {key: getattr(block, key) for key in set(RunBlock.model_fields) - {"recipe"}}
            runs[name] = Run(name, stage, **about, recipe=_merge(self.recipes[block.recipe], block))
        return runs

    def runs_of(self, protocol: str) -> dict[str, Run]:
        """The runs of a protocol by name, in the order of the file, without variants."""
        runs = self.all_runs.items()
        return {name: run for name, run in runs if run.protocol == protocol and not run.variant_of}

    def variants_of(self, protocol: str) -> dict[str, Run]:
        """The variants among the runs of a protocol by name, in the order of the file."""
        return {name: run for name, run in self.all_runs.items() if run.protocol == protocol and run.variant_of}

    def prediction_of(self, protocol: str) -> Prediction:
        """How the runs of a protocol predict."""
        return getattr(self.predict, protocol)

    @staticmethod
    def _may_vary(variant: Any, original: Any) -> bool:
        return original.protocol == variant.protocol and not original.variant_of

    def _run_blocks(self) -> Iterator[tuple[str, str, Any]]:
        for stage in STAGES:
            for name, block in getattr(self.runs, stage).items():
                yield stage, name, block


def _merge(recipe: Recipe, block: BaseModel) -> Recipe:
    """The recipe with the keys that a run sets itself, those of ``augmentation`` one by one."""
    own = block.model_dump(include=set(Recipe.model_fields), exclude_unset=True, exclude_none=True)
    content = recipe.model_dump()
    augmentation = content["augmentation"] | own.get("augmentation", {})
    return Recipe.model_validate(content | own | {"augmentation": augmentation})


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


def _describe(problem: Mapping[str, Any]) -> str:
    location, kind = problem["loc"], problem["type"]
    key = ".".join(map(str, location)) or "the whole file"
    if kind == "missing":
        return f"{key}: missing"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; allowed here are {', '.join(_keys_of(location[:-1]))}"
    reason = _plain(problem["msg"])
    if kind in ("value_error", "too_short", "too_long"):
        return f"{key}: {reason}" if location else reason  # what concerns the whole file names its keys itself
    if kind == "model_type":
        reason = f"must be a block of the keys {', '.join(_keys_of(location))}"
    if kind == "string_pattern_mismatch":
        reason = f"must be {FORMS[problem['ctx']['pattern']]}"
    return f"{key}: {reason}, not {reprlib.repr(problem['input'])}"


def _plain(message: str) -> str:
    """A message of pydantic in the words of the file."""
    for phrase, plain in (("Value error, ", ""), ("Input should", "must"), ("List should", "must")):
        message = message.replace(phrase, plain)
    return message.replace(" after validation", "")


def _keys_of(location: tuple) -> list[str]:
    """The keys of the block at this place of the file."""
    kind: Any = Params
    for part in location:
        if not isinstance(part, int):  # an item of a list has the type of its list here
            kind = _value_type(kind, part)
    return list(kind.model_fields)


def _value_type(kind: Any, key: str) -> Any:
    """The type of a key's value: the block in it, where lists and unions are unpacked."""
    if not _is_block(kind):  # a mapping of names to blocks
        return get_args(kind)[1]
    annotation = kind.model_fields[key].annotation
    blocks = [choice for choice in (annotation, *get_args(annotation)) if _is_block(choice)]
    return annotation if _is_mapping(annotation) else blocks[0]


def _is_block(kind: Any) -> bool:
    return hasattr(kind, "model_fields")


def _is_mapping(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is dict
