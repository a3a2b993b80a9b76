"""What params.yaml may say, and what a user reads when it says something else."""

import json
import re

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from facial_expression.emotions import NAMES
from facial_expression.params import STAGES, Params, ParamsError, Recipe, load_params
from helpers.project import ROOT

COMMITTED = ROOT / "params.yaml"
CONTENT = YAML(typ="safe", pure=True).load(COMMITTED.read_text(encoding="utf-8"))
MISSING = object()
PASS = {"upsampling": 1, "enlargement": 1, "border": 0}
EXPORT_KEYS = "report, runs, input, opset, calibration_faces, confidence_threshold, max_accuracy_drop"
SHORT = CONTENT["recipes"]["short"]
RUN = {"protocol": "official", "network": {"module": "wide"}, "input": "aligned", "recipe": "short"}
LONG = "recipes__long__augmentation"
OFFICIAL = ", ".join(load_params(COMMITTED).runs_of("official"))


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


def test_committed_file_is_valid():
    params = load_params(COMMITTED)
    assert params.align.passes[0].model_dump() == PASS
    assert params.filter_classes.drop == ["disgust"]
    assert params.recipes["study"].learning_rate == 5e-4
    assert list(params.all_runs) == [name for stage in STAGES for name in CONTENT["runs"][stage]]
    assert list(params.evaluate) == list(CONTENT["evaluate"])


def test_finds_params_in_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(COMMITTED.parent)
    assert load_params() == load_params(COMMITTED)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=r"params\.yaml is missing: run from the directory that holds it"):
        load_params()


def test_parameters_are_immutable():
    params = load_params(COMMITTED)
    with pytest.raises(ValidationError):
        params.runtime.threads = 3


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        # unknown keys, at every level
        ("tarin", {}, f"tarin: unknown key; allowed here are {', '.join(Params.model_fields)}"),
        (
            "runtime__thread",
            1,
            "runtime.thread: unknown key; allowed here are backend, onednn, threads, devices, workers",
        ),
        (
            "align__passes__1__bordr",
            4,
            "align.passes.1.bordr: unknown key; allowed here are upsampling, enlargement, border",
        ),
        (
            f"{LONG}__flp",
            0.5,
            "recipes.long.augmentation.flp: unknown key; "
            "allowed here are flip, shift, rotation, scale, contrast, cutout, mixup",
        ),
        (
            "recipes__short__pictures",
            "aligned",
            "recipes.short.pictures: unknown key; allowed here are iterations, snapshot_every, ",
        ),
        (
            "runs__wide__wide__iteratons",
            1,
            "runs.wide.wide.iteratons: unknown key; allowed here are protocol, network, input, recipe, variant_of, ",
        ),
        (
            "runs__wide__wide__augmentation",
            {"flp": 1.0},
            "runs.wide.wide.augmentation.flp: unknown key; allowed here are flip, ",
        ),
        ("runs__mobilenet", {}, "runs.mobilenet: unknown key; allowed here are shallow, wide, resnet"),
        (
            "runs__resnet__small__network",
            {"module": "resnet", "stm": 5},
            "runs.resnet.small.network: unknown key stm; allowed here are module, blocks, filters, stem, stem_pool, ",
        ),
        (
            "evaluate__official-7__families",
            1,
            "evaluate.official-7.families: unknown key; allowed here are protocol, drop, ",
        ),
        ("predict__seven", {}, "predict.seven: unknown key; allowed here are study, official"),
        # missing keys, at every level
        ("export", MISSING, "export: missing"),
        ("evaluate__official-7__seed", MISSING, "evaluate.official-7.seed: missing"),
        ("recipes__short__iterations", MISSING, "recipes.short.iterations: missing"),
        ("runs__wide__wide__network", MISSING, "runs.wide.wide.network: missing"),
        ("runs__resnet__small__network__module", MISSING, "runs.resnet.small.network.module: missing"),
        ("runs__wide", MISSING, "runs.wide: missing"),
        ("align__passes__2__border", MISSING, "align.passes.2.border: missing"),
        # something else where a block must be
        ("export", None, f"export: must be a block of the keys {EXPORT_KEYS}, not None"),
        ("export", ["official"], f"export: must be a block of the keys {EXPORT_KEYS}, not ['official']"),
        ("align__passes__0", 1, "align.passes.0: must be a block of the keys upsampling, enlargement, border, not 1"),
        (
            LONG,
            0.5,
            "recipes.long.augmentation: must be a block of the keys flip, shift, rotation, scale, contrast, "
            "cutout, mixup, not 0.5",
        ),
        # names that must exist or be unique
        (
            "runs__wide__wide__recipe",
            "shrt",
            f"runs.wide.wide.recipe: must be one of {', '.join(CONTENT['recipes'])}, not 'shrt'",
        ),
        (
            "runs__wide__wide__network",
            {"module": "wid"},
            "runs.wide.wide.network: module must be one of resnet, shallow, wide, not 'wid'",
        ),
        ("export__report", "official", "export.report: must be one of official-6, official-7, not 'official'"),
        (
            "export__runs",
            ["small", "study-wide"],
            f"export.runs: must be of {OFFICIAL}, not 'st",
        ),
        ("export__input", "decoded", "export.input: must be 'aligned' or 'centered', not 'decoded'"),
        ("export__report", "study-6", "export.report: must be one of official-6, official-7, not 'study-6'"),
        ("runs__wide__shallow", RUN, "runs.wide.shallow: there is another run of this name"),
        ("runs__wide__ensemble", RUN, "runs.wide.ensemble: the name of a run must not end in -ensemble or be one of"),
        (
            "runs__wide__my-ensemble",
            RUN,
            "runs.wide.my-ensemble: the name of a run must not end in -ensemble or be one of",
        ),
        ("runtime__scheduler", "host", "runtime.scheduler: must be an address such as tcp://host:8786, not 'host'"),
        ("runs__wide__a/b", RUN, "runs.wide.a/b.[key]: must be lower-case letters, digits and single hyphens, not"),
        *((f"runs__wide__{name}", RUN, f"runs.wide.{name}: the name of a run must not") for name in ("row", "emotion")),
        (
            "runs__resnet__small__network",
            {"module": "resnet", "stem_pool": "no"},
            "runs.resnet.small.network: stem_pool must be true or false, not 'no'",
        ),
        ("runs__resnet__small__warmup", None, "runs.resnet.small.warmup: must not be null; leave it out to take that"),
        ("runs__resnet__small__augmentation", None, "runs.resnet.small.augmentation: must not be null; leave it out"),
        ("filter_classes__drop", list(NAMES[2:]), "evaluate.study-6.drop: must leave at least two classes"),
        (
            "decode__size",
            96,
            "export.runs: networks that saw decoded pictures are served centered faces, so align.size",
        ),
        # wrong types
        ("predict__official__views__mirror", 1, "predict.official.views.mirror: must be a valid boolean, not 1"),
        ("evaluate__official-6__temperature", 1.5, "evaluate.official-6.temperature: must be a valid boolean, not 1.5"),
        ("runtime__threads", "4", "runtime.threads: must be a valid integer, not '4'"),
        ("runtime__threads", True, "runtime.threads: must be a valid integer, not True"),
        ("runtime__threads", None, "runtime.threads: must be a valid integer, not None"),
        ("runtime__onednn", True, "runtime.onednn: must be a valid integer, not True"),
        ("runtime__onednn", 1.0, "runtime.onednn: must be a valid integer, not 1.0"),
        ("recipes__short__iterations", 4000.0, "recipes.short.iterations: must be a valid integer, not 4000.0"),
        ("runs__wide__wide__iterations", 0.5, "runs.wide.wide.iterations: must be a valid integer, not 0.5"),
        ("recipes__short__learning_rate", "1e-4", "recipes.short.learning_rate: must be a valid number, not '1e-4'"),
        ("recipes__long__weight_decay", False, "recipes.long.weight_decay: must be a valid number, not False"),
        ("download__kaggle_handle", 5, "download.kaggle_handle: must be a valid string, not 5"),
        ("download__archive", 5, "download.archive: must be a valid string, not 5"),
        ("filter_classes__drop", "disgust", "filter_classes.drop: must be a valid list, not 'disgust'"),
        ("align__passes", PASS, "align.passes: must be a valid list, not {'border': 0, "),
        # values out of range
        (
            "recipes__short__time_budget",
            -0.5,
            "recipes.short.time_budget: must be greater than or equal to 0, not -0.5",
        ),
        (
            "evaluate__official-7__protocol",
            "seven",
            "evaluate.official-7.protocol: must be 'study' or 'official', not 'seven'",
        ),
        (
            "runs__wide__wide__input",
            "framed",
            "runs.wide.wide.input: must be 'aligned', 'centered' or 'decoded', not 'framed'",
        ),
        (
            "evaluate__official-7__ensemble_last",
            4,
            "evaluate.official-7.ensemble_last: must be at most predict.official.snapshots, 3, not 4",
        ),
        ("predict__official__views__scale", 1.0, "predict.official.views.scale: must be less than 1, not 1.0"),
        (
            "evaluate__official-7__ensemble_last",
            0,
            "evaluate.official-7.ensemble_last: must be greater than or equal to 1, not 0",
        ),
        ("runtime__onednn", 2, "runtime.onednn: must be less than or equal to 1, not 2"),
        ("runtime__workers", -2, "runtime.workers: must be greater than or equal to -1, not -2"),
        ("runtime__workers", 0, "runtime.workers: must be -1 (one per core) or 1 and more, not 0"),
        ("align__margin", 0.5, "align.margin: must be less than 0.5, not 0.5"),
        ("align__passes__0__upsampling", 4, "align.passes.0.upsampling: must be less than or equal to 3, not 4"),
        ("align__passes", [], "align.passes: must have at least 1 item, not 0"),
        ("align__passes", [PASS] * 9, "align.passes: must have at most 8 items, not 9"),
        ("recipes__short__learning_rate", 0, "recipes.short.learning_rate: must be greater than 0, not 0"),
        (f"{LONG}__flip", 1.5, "recipes.long.augmentation.flip: must be less than or equal to 1, not 1.5"),
        ("evaluate__study-6__seed", 2**31, "evaluate.study-6.seed: must be less than 2147483648, not 2147483648"),
        ("runtime__backend", "theano", "runtime.backend: must be 'tensorflow', 'jax' or 'torch', not 'theano'"),
        ("download__md5", "F" * 32, "download.md5: must be 32 lower-case hexadecimal digits, not 'FFF"),
        ("download__md5", None, "download.md5: must be a valid string, not None"),
        ("download__kaggle_handle", "fer2013", "download.kaggle_handle: must be of the form owner/name, not 'fer2013'"),
        (
            "filter_classes__drop",
            ["fear", "disgusted"],
            f"filter_classes.drop (disgusted): must be among classes: {', '.join(NAMES)}",
        ),
        ("classes", ["happy"], "classes: must have at least 2 items, not 1"),
        ("classes", [*NAMES, "Happy"], "classes: 'Happy' stands twice"),
        (
            "classes",
            [*NAMES, "7"],
            "classes.7: must be at most 40 letters, digits, blanks, hyphens and underscores, a letter first, not '7'",
        ),
        ("classes", [*NAMES, 7], "classes.7: must be a valid string, not 7"),
        ("decode__codes", "ck", "decode.codes: must be 'fer2013', 'raf-db', 'affectnet' or 'classes', not 'ck'"),
        ("decode__labels", ["joy"], "decode.labels: must be a valid dictionary, not ['joy']"),
        ("decode__labels", {"joy": "hapy"}, "decode.labels.joy: must be null or one of angry, disgust, "),
        ("decode__size", 20, "decode.size: must be greater than or equal to 24, not 20"),
        # values that do not fit each other
        (
            "decode__test_share",
            0.9,
            "decode: validation_share and test_share together must stay below 1: the rest is for training",
        ),
        (
            "classes",
            ["low", "middle", "high"],
            "filter_classes.drop (disgust), evaluate.study-6.drop (disgust), evaluate.official-6.drop (disgust): "
            "must be among classes: low, middle, high",
        ),
        ("filter_classes__drop", list(NAMES[:6]), "filter_classes.drop: must leave at least two classes"),
        ("evaluate__official-7__drop", list(NAMES[:6]), "evaluate.official-7.drop: must leave at least two classes"),
        (
            "filter_classes__training_share",
            0.85,
            "filter_classes: training_share and validation_share together must stay below 1: the rest is the test part",
        ),
        (
            "recipes__short__snapshot_every",
            SHORT["validate_every"] + 1,
            "recipes.short: snapshot_every must be a multiple of validate_every, "
            "and iterations a multiple of snapshot_every",
        ),
        (
            "runs__wide__wide__iterations",
            SHORT["iterations"] + 1,
            "runs.wide.wide: snapshot_every must be a multiple of validate_every, and iterations a multiple of",
        ),
        (
            "runs__wide__wide__variant_of",
            "study-wide",
            f"runs.wide.wide.variant_of: must be one of {OFFICIAL.replace('wide, ', '')}, not 'study-wide'",
        ),
        (
            "runtime__devices",
            3,
            "runs.shallow.study-shallow.batch_size: must be a multiple of runtime.devices, 3, not 100",
        ),
        ("runs__wide__wide__share", 0.0, "runs.wide.wide.share: must be greater than 0, not 0.0"),
        ("runs__wide__wide__warmup", SHORT["iterations"], "runs.wide.wide: warmup must be below iterations"),
        ("runs__wide__wide__schedule", "constant", "runs.wide.wide: warmup needs schedule: cosine"),
        (
            "runs__wide__wide__time_budget",
            -1.0,
            "runs.wide.wide.time_budget: must be greater than or equal to 0, not -1.0",
        ),
    ],
)
def test_names_one_wrong_entry(tmp_path, name, value, line):
    first, *lines = complaint(tmp_path, **{name: value}).split("\n")
    assert first == f"{tmp_path / 'own.yaml'} has 1 wrong entry:"
    assert len(lines) == 1
    assert lines[0].startswith(f"  {line}")


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_rejects_numbers_that_are_not_finite(tmp_path, value):
    text = COMMITTED.read_text().replace("weight_decay: 0.002 ", f"weight_decay: {value} ")
    with pytest.raises(ParamsError, match=r"recipes\.long\.weight_decay: must be .*, not -?(nan|inf)"):
        load_text(tmp_path, text)


def test_lists_all_wrong_entries_at_once(tmp_path):
    message = complaint(tmp_path, runtime__threads="4", export__opset=MISSING, align__siez=48)
    assert message.split("\n")[0].endswith("has 3 wrong entries:")
    for key in ("runtime.threads", "export.opset", "align.siez"):
        assert f"\n  {key}: " in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recipes__short__weight_decay", 0),
        (f"{LONG}__rotation", 15),
        ("align__margin", 0),
        ("classes", [*NAMES, "contempt", "Wut und Ärger", "level-3"]),
        ("decode__labels", {"7": None, "joy": "happy"}),
        ("download__archive", "~/fer2013.zip"),
        ("filter_classes__drop", []),
        ("filter_classes__drop", list(NAMES[3:])),
        ("evaluate__official-7__drop", list(NAMES[2:])),
        ("evaluate__study-6__drop", []),
        ("recipes__study__time_budget", 0.5),
        ("runtime__workers", 1),
        ("runtime__onednn", 0),
        ("recipes__short__warmup", SHORT["iterations"] - 1),
        ("align__passes", [PASS] * 8),
    ],
)
def test_accepts_values_at_the_limit(tmp_path, name, value):
    read = load_changed(tmp_path, **{name: value}).model_dump()
    for key in name.split("__"):
        read = read[key]
    assert read == value


def test_recipe_defaults_are_off():
    recipe = Recipe(iterations=2, snapshot_every=2, validate_every=1, optimizer="sgd", learning_rate=0.1)
    assert set(recipe.augmentation.model_dump().values()) == {0}
    off = (recipe.warmup, recipe.weight_decay, recipe.label_smoothing, recipe.moving_average, recipe.time_budget)
    assert off == (0, 0, 0, 0, 0)
    assert (recipe.schedule, recipe.batch_size, recipe.seed) == ("constant", 100, 1)


def test_run_overrides_its_recipe_key_by_key(tmp_path):
    changes = {"iterations": 1000, "augmentation": {"cutout": 12}}
    params = load_changed(tmp_path, **{f"runs__wide__wide__{key}": value for key, value in changes.items()})
    recipe, base = params.all_runs["wide"].recipe, params.recipes["short"]
    assert recipe.iterations == 1000
    assert recipe.augmentation.cutout == 12
    assert recipe.augmentation.flip == base.augmentation.flip == 0.5
    assert recipe.learning_rate == base.learning_rate
    assert params.all_runs["shallow"].recipe == base


def test_runs_are_grouped_by_stage_and_protocol():
    params = load_params(COMMITTED)
    for name, run in params.all_runs.items():
        assert name == run.name
        assert name in CONTENT["runs"][run.stage]
        assert run.network.module == CONTENT["runs"][run.stage][name]["network"]["module"]
    by_protocol = [
        name
        for protocol in ("study", "official")
        for runs in (params.runs_of(protocol), params.variants_of(protocol))
        for name in runs
    ]
    assert sorted(by_protocol) == sorted(params.all_runs)


def test_variant_is_no_run_of_the_results(tmp_path):
    variant = RUN | {"variant_of": "wide", "share": 0.25, "unleaked": True}
    params = load_changed(tmp_path, runs__wide__quarter=variant)
    assert "quarter" not in params.runs_of("official")
    run = params.variants_of("official")["quarter"]
    assert (run.variant_of, run.share, run.unleaked) == ("wide", 0.25, True)
    wide = params.all_runs["wide"]
    assert (wide.variant_of, wide.share, wide.unleaked) == (None, 1.0, False)


def test_network_keeps_the_arguments_of_its_module():
    network = load_params(COMMITTED).all_runs["small"].network
    assert network.module == "resnet"
    assert network.arguments["preactivation"] is True
    assert "module" not in network.arguments


def test_new_run_needs_one_block(tmp_path):
    params = load_changed(tmp_path, **{"runs__resnet__second-wide": RUN | {"seed": 2}})
    run = params.all_runs["second-wide"]
    assert (run.stage, run.network.module, run.recipe.seed) == ("resnet", "wide", 2)


def test_labels_may_be_numbers(tmp_path):
    text = COMMITTED.read_text().replace("labels: {} ", "labels: {7: null, 1: happy} ")
    assert load_text(tmp_path, text).decode.labels == {"7": None, "1": "happy"}


@pytest.mark.parametrize(("text", "number"), [("1e-4", 1e-4), ("1e-05", 1e-5), ("1.0e-4", 1e-4), ("0.0001", 1e-4)])
def test_reads_exponents_as_dvc_writes_them(tmp_path, text, number):
    params = load_text(tmp_path, COMMITTED.read_text().replace("weight_decay: 0.002 ", f"weight_decay: {text} "))
    assert params.recipes["long"].weight_decay == number


def test_names_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml is missing: run from the directory that holds it"):
        load_params(tmp_path / "none.yaml")
    with pytest.raises(ParamsError, match=f"{re.escape(str(tmp_path))} cannot be read: "):
        load_params(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "- runtime\n", "runtime\n"])
def test_file_without_blocks_names_them(tmp_path, text):
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


def test_names_a_file_in_another_encoding(tmp_path):
    with pytest.raises(ParamsError, match=r"own\.yaml cannot be read: 'utf-8' codec"):
        load_text(tmp_path, "runtime: ä".encode("latin-1"))


def test_committed_parameters_share_no_block():
    """DVC changes a shared block in all places or loses the change: ``dvc exp run -S`` needs each written out."""
    events = YAML().parse(COMMITTED.read_text())
    assert not [event.anchor for event in events if getattr(event, "anchor", None)]


def test_files_stay_short():
    """A network is data: neither file grows with a list of networks."""
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 240
    assert len(COMMITTED.read_text().splitlines()) <= 300
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
