"""What params.yaml may say, and what a user reads when it says something else."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from facial_expression.emotions import NAMES
from facial_expression.params import FAMILIES, REPORTS, Params, ParamsError, load_params

COMMITTED = Path(__file__).parent.parent / "params.yaml"
CONTENT = YAML(typ="safe", pure=True).load(COMMITTED.read_text(encoding="utf-8"))
MISSING = object()
PASS = {"upsampling": 1, "enlargement": 1, "border": 0}
EXPORT_KEYS = "protocol, opset, calibration_faces, doubt, largest_loss"
WIDE = CONTENT["train_wide"]["official"]


def load_text(tmp_path, text: str | bytes) -> Params:
    path = tmp_path / "own.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_params(path)


def load_changed(tmp_path, **changes) -> Params:
    """The committed parameters with other values; the names of the keys are joined by two underscores."""
    content = json.loads(json.dumps(CONTENT))  # a copy in which nothing is shared between blocks
    for name, value in changes.items():
        *folders, key = (int(part) if part.isdigit() else part for part in name.split("__"))
        block = content
        for folder in folders:
            block = block[folder]
        if value is MISSING:
            del block[key]
        else:
            block[key] = value
    return load_text(tmp_path, json.dumps(content))


def complaint(tmp_path, **changes) -> str:
    with pytest.raises(ParamsError) as raised:
        load_changed(tmp_path, **changes)
    return str(raised.value)


def test_the_committed_file_is_valid():
    params = load_params(COMMITTED)
    assert params.model_dump() == CONTENT
    assert params.align.passes[0].model_dump() == PASS
    assert params.filter_classes.drop == ["disgust"]
    assert params.train_shallow.published.learning_rate == 5e-4


def test_the_current_directory_is_searched_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(COMMITTED.parent)
    assert load_params() == load_params(COMMITTED)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=r"params\.yaml is missing: run from the directory that holds it"):
        load_params()


def test_parameters_cannot_change_after_reading():
    params = load_params(COMMITTED)
    with pytest.raises(ValidationError):
        params.runtime.threads = 3


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        # unknown keys, at every level
        ("tarin_wide", {}, f"tarin_wide: unknown key; allowed here are {', '.join(Params.model_fields)}"),
        ("runtime__thread", 1, "runtime.thread: unknown key; allowed here are backend, onednn, threads, workers"),
        (
            "align__passes__1__bordr",
            4,
            "align.passes.1.bordr: unknown key; allowed here are upsampling, enlargement, border",
        ),
        (
            "train_wide__official__augmentation__flp",
            0.5,
            "train_wide.official.augmentation.flp: unknown key; "
            "allowed here are flip, shift, rotation, scale, contrast, cutout, mixup",
        ),
        (
            "train_wide__official__stem_pool",
            True,
            "train_wide.official.stem_pool: unknown key; allowed here are pictures, iterations, ",
        ),
        (
            "train_wide__published__grow",
            True,
            "train_wide.published.grow: unknown key; allowed here are pictures, iterations, ",
        ),
        ("train_shallow__seven", {}, "train_shallow.seven: unknown key; allowed here are published, official"),
        ("evaluate__eight", {}, "evaluate.eight: unknown key; allowed here are published, official, seven"),
        # missing keys, at every level
        ("export", MISSING, "export: missing"),
        ("evaluate__seven__seed", MISSING, "evaluate.seven.seed: missing"),
        ("train_wide__official__time_budget", MISSING, "train_wide.official.time_budget: missing"),
        ("train_resnet__official__grow", MISSING, "train_resnet.official.grow: missing"),
        ("train_resnet10__official__stem_pool", MISSING, "train_resnet10.official.stem_pool: missing"),
        ("train_resnet__published__stem_pool", MISSING, "train_resnet.published.stem_pool: missing"),
        ("evaluate__seven", MISSING, "evaluate.seven: missing"),
        ("align__passes__2__border", MISSING, "align.passes.2.border: missing"),
        ("train_resnet__published__augmentation__mixup", MISSING, "train_resnet.published.augmentation.mixup: missing"),
        # something else where a block must be
        ("export", None, f"export: must be a block of the keys {EXPORT_KEYS}, not None"),
        ("export", ["official"], f"export: must be a block of the keys {EXPORT_KEYS}, not ['official']"),
        ("align__passes__0", 1, "align.passes.0: must be a block of the keys upsampling, enlargement, border, not 1"),
        (
            "train_wide__published__augmentation",
            0.5,
            "train_wide.published.augmentation: must be a block of the keys flip, shift, rotation, scale, contrast, "
            "cutout, mixup, not 0.5",
        ),
        # what does not go together
        (
            "train_resnet__official__stem_pool",
            True,
            "the whole file: train_resnet.official grows from train_resnet10.official: stem_pool must be the same in ",
        ),
        (
            "train_resnet10__published__pictures",
            "framed",
            "the whole file: train_resnet.published grows from train_resnet10.published: pictures must be the same in ",
        ),
        # wrong types
        ("train_resnet__official__grow", 1, "train_resnet.official.grow: must be a valid boolean, not 1"),
        ("predict__official__flip", 1, "predict.official.flip: must be a valid boolean, not 1"),
        ("evaluate__official__temperature", 1.5, "evaluate.official.temperature: must be a valid boolean, not 1.5"),
        ("runtime__threads", "4", "runtime.threads: must be a valid integer, not '4'"),
        ("runtime__threads", True, "runtime.threads: must be a valid integer, not True"),
        ("runtime__threads", None, "runtime.threads: must be a valid integer, not None"),
        ("runtime__onednn", True, "runtime.onednn: must be a valid integer, not True"),
        ("runtime__onednn", 1.0, "runtime.onednn: must be a valid integer, not 1.0"),
        (
            "train_wide__official__iterations",
            4000.0,
            "train_wide.official.iterations: must be a valid integer, not 4000.0",
        ),
        ("train_wide__official__iterations", 0.5, "train_wide.official.iterations: must be a valid integer, not 0.5"),
        (
            "train_wide__official__learning_rate",
            "1e-4",
            "train_wide.official.learning_rate: must be a valid number, not '1e-4'",
        ),
        (
            "train_wide__official__weight_decay",
            False,
            "train_wide.official.weight_decay: must be a valid number, not False",
        ),
        ("download__kaggle_handle", 5, "download.kaggle_handle: must be a valid string, not 5"),
        ("download__archive", 5, "download.archive: must be a valid string, not 5"),
        ("filter_classes__drop", "disgust", "filter_classes.drop: must be a valid list, not 'disgust'"),
        ("align__passes", PASS, "align.passes: must be a valid list, not {'border': 0, "),
        # values out of range
        (
            "train_wide__official__time_budget",
            -0.5,
            "train_wide.official.time_budget: must be greater than or equal to 0, not -0.5",
        ),
        (
            "evaluate__seven__protocol",
            "seven",
            "evaluate.seven.protocol: must be 'published' or 'official', not 'seven'",
        ),
        (
            "evaluate__seven__ensemble_last",
            0,
            "evaluate.seven.ensemble_last: must be greater than or equal to 1, not 0",
        ),
        ("runtime__onednn", 2, "runtime.onednn: must be less than or equal to 1, not 2"),
        ("runtime__workers", -2, "runtime.workers: must be greater than or equal to -1, not -2"),
        ("runtime__workers", 0, "runtime.workers: must be -1 (one per core) or 1 and more, not 0"),
        ("align__margin", 0.5, "align.margin: must be less than 0.5, not 0.5"),
        ("align__passes__0__upsampling", 4, "align.passes.0.upsampling: must be less than or equal to 3, not 4"),
        ("align__passes", [], "align.passes: must have at least 1 item, not 0"),
        ("align__passes", [PASS] * 9, "align.passes: must have at most 8 items, not 9"),
        ("train_wide__official__learning_rate", 0, "train_wide.official.learning_rate: must be greater than 0, not 0"),
        (
            "train_wide__official__augmentation__flip",
            1.5,
            "train_wide.official.augmentation.flip: must be less than or equal to 1, not 1.5",
        ),
        ("evaluate__official__seed", 2**31, "evaluate.official.seed: must be less than 2147483648, not 2147483648"),
        ("runtime__backend", "theano", "runtime.backend: must be 'tensorflow', 'jax' or 'torch', not 'theano'"),
        ("download__md5", "F" * 32, "download.md5: must be 32 lower-case hexadecimal digits, not 'FFF"),
        ("download__kaggle_handle", "fer2013", "download.kaggle_handle: must be of the form owner/name, not 'fer2013'"),
        (
            "filter_classes__drop",
            ["fear", "disgusted"],
            "filter_classes.drop.1: must be 'angry', 'disgust', 'fear', 'happy', 'sad', 'surprise' or 'neutral', "
            "not 'disgusted'",
        ),
        # values that do not fit each other
        ("filter_classes__drop", list(NAMES[:6]), "filter_classes.drop: must leave at least two classes"),
        ("evaluate__seven__drop", list(NAMES[:6]), "evaluate.seven.drop: must leave at least two classes"),
        (
            "filter_classes__training_share",
            0.85,
            "filter_classes: training_share and validation_share together must stay below 1: the rest is the test part",
        ),
        (
            "train_wide__official__snapshot_every",
            WIDE["validate_every"] + 1,
            "train_wide.official: snapshot_every must be a multiple of validate_every, "
            "and iterations a multiple of snapshot_every",
        ),
        (
            "train_wide__official__iterations",
            WIDE["iterations"] + 1,
            "train_wide.official: snapshot_every must be a multiple of validate_every, and iter",
        ),
        ("train_wide__official__warmup", WIDE["iterations"], "train_wide.official: warmup must be below iterations"),
    ],
)
def test_one_wrong_entry(tmp_path, name, value, line):
    first, *lines = complaint(tmp_path, **{name: value}).split("\n")
    assert first == f"{tmp_path / 'own.yaml'} has 1 wrong entry:"
    assert len(lines) == 1
    assert lines[0].startswith(f"  {line}")


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_numbers_are_finite(tmp_path, value):
    text = COMMITTED.read_text().replace("weight_decay: 0.0 ", f"weight_decay: {value} ")
    with pytest.raises(ParamsError, match=r"train_shallow\.published\.weight_decay: must be .*, not -?(nan|inf)"):
        load_text(tmp_path, text)


def test_all_wrong_entries_are_told_at_once(tmp_path):
    message = complaint(tmp_path, runtime__threads="4", export__opset=MISSING, align__siez=48)
    assert message.split("\n")[0].endswith("has 3 wrong entries:")
    for key in ("runtime.threads", "export.opset", "align.siez"):
        assert f"\n  {key}: " in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train_wide__official__weight_decay", 0),
        ("train_wide__official__augmentation__rotation", 15),
        ("align__margin", 0),
        ("download__md5", None),
        ("download__archive", "~/fer2013.zip"),
        ("filter_classes__drop", []),
        ("filter_classes__drop", list(NAMES[2:])),
        ("evaluate__seven__drop", list(NAMES[2:])),
        ("evaluate__published__drop", []),
        ("train_resnet__official__grow", False),
        ("train_shallow__official__time_budget", 0),
        ("train_resnet__published__time_budget", 0.5),
        ("runtime__workers", 1),
        ("runtime__onednn", 0),
        ("train_wide__official__warmup", WIDE["iterations"] - 1),
        ("align__passes", [PASS] * 8),
    ],
)
def test_allowed_at_the_edge(tmp_path, name, value):
    read = load_changed(tmp_path, **{name: value}).model_dump()
    for key in name.split("__"):
        read = read[key]
    assert read == value


def test_what_does_not_grow_may_see_other_pictures(tmp_path):
    params = load_changed(tmp_path, train_resnet__official__grow=False, train_resnet__official__pictures="aligned")
    assert params.train_resnet.official.pictures != params.train_resnet10.official.pictures


def test_a_recipe_says_how_its_network_is_built():
    params = load_params(COMMITTED)
    for family in FAMILIES:
        recipe = getattr(params, f"train_{family}").official
        assert recipe.architecture == ({"stem_pool": recipe.stem_pool} if "resnet" in family else {})


def test_dropped_classes_come_in_the_projects_order(tmp_path):
    names = ["neutral", "angry", "neutral"]
    params = load_changed(tmp_path, filter_classes__drop=names, evaluate__seven__drop=names)
    assert params.filter_classes.drop == params.evaluate.seven.drop == ["angry", "neutral"]


def test_reports_are_the_blocks_of_evaluate():
    assert tuple(CONTENT["evaluate"]) == REPORTS
    assert FAMILIES == ("shallow", "wide", "resnet10", "resnet", "preactivation", "uncropped")


def test_recipes_of_one_network_do_not_touch_one_another(tmp_path):
    params = load_changed(tmp_path, train_wide__official__learning_rate=0.25)
    assert params.train_wide.official.learning_rate == 0.25
    assert params.train_wide.published.model_dump() == CONTENT["train_wide"]["published"]


@pytest.mark.parametrize(("text", "number"), [("1e-4", 1e-4), ("1e-05", 1e-5), ("1.0e-4", 1e-4), ("0.0001", 1e-4)])
def test_numbers_with_an_exponent_are_read_as_dvc_writes_them(tmp_path, text, number):
    params = load_text(tmp_path, COMMITTED.read_text().replace("weight_decay: 0.0 ", f"weight_decay: {text} "))
    assert params.train_shallow.published.weight_decay == number


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml is missing: run from the directory that holds it"):
        load_params(tmp_path / "none.yaml")
    with pytest.raises(ParamsError, match=f"{re.escape(str(tmp_path))} cannot be read: "):
        load_params(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "- runtime\n", "runtime\n"])
def test_a_file_without_blocks_names_them(tmp_path, text):
    with pytest.raises(
        ParamsError, match=r"own\.yaml has 1 .*\n  the whole file: must be a block of the keys runtime, "
    ):
        load_text(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("runtime: [1\n", "line 1"),
        ("runtime:\n\tthreads: 1\n", "line 2"),
        ("runtime: *other\n", "undefined alias 'other'"),
        ("runtime: !!python/object:os.system echo\n", "could not determine a constructor"),
        ("runtime: 1\nruntime: 2\n", 'duplicate key "runtime"'),
    ],
)
def test_invalid_yaml_says_where(tmp_path, text, place):
    with pytest.raises(ParamsError, match=r"own\.yaml is not valid YAML: ") as raised:
        load_text(tmp_path, text)
    assert place in str(raised.value)


def test_a_file_in_another_encoding_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"own\.yaml cannot be read: 'utf-8' codec"):
        load_text(tmp_path, "runtime: ä".encode("latin-1"))


def test_committed_parameters_share_no_block():
    """DVC changes a shared block in all places or loses the change: ``dvc exp run -S`` needs each written out."""
    events = YAML().parse((Path(__file__).parent.parent / "params.yaml").read_text())
    assert not [event.anchor for event in events if getattr(event, "anchor", None)]
