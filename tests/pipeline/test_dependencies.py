"""What a stage depends on: the code that it imports and the libraries that compute, no less and not much more."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from facial_expression.params import Augmentation, Recipe, load_params
from helpers.project import ROOT
from tools.write_versions import MODULES, versions_yaml

COMPUTE_NOTHING = {
    "facial_expression/__init__.py",  # switches telemetry off
    "facial_expression/errors.py",
    "facial_expression/files.py",  # writes what it is given
    "facial_expression/parallel.py",  # gives work to other processes
    "facial_expression/params.py",  # DVC tracks the values themselves; the defaults are pinned below
    "stages/__init__.py",  # shows an interruption
    "stages/_stage.py",  # paths, which dvc.yaml repeats, and messages
}
"""Modules that cannot change a number. A training must not depend on their wording."""

ONLY_MOVE_DATA = {
    "jinja2",
    "distributed",
    "joblib",
    "kagglehub",
    "markupsafe",
    "pandas",
    "pydantic",
    "requests",
    "rich",
    "ruamel",
    "tqdm",
    "zc",
}
"""Libraries that read, arrange, show and write."""

CODE = ("facial_expression", "stages")
STAGES = {stage.addressing: stage for stage in Repo(str(ROOT)).index.stages}


def module_file(name: str) -> str | None:
    """The project's file of a module, or None for a name that is no module of the project."""
    base = Path(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path.as_posix() for path in candidates if base.parts[0] in CODE and (ROOT / path).exists()), None)


@cache
def imported_names(file: str) -> frozenset[str]:
    """Everything that a file imports, in functions as well, and the libraries that it names as a string."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and node.value in MODULES:
            names.add(node.value)
    return frozenset(names)


def is_empty(file: str) -> bool:
    """Whether a module is nothing but a docstring."""
    return len(ast.parse((ROOT / file).read_text()).body) <= 1 and file.endswith("__init__.py")


def starting_points(stage: str) -> Iterator[str]:
    """The stage's script, and the networks that it imports by their names in params.yaml."""
    words = STAGES[stage].cmd.split()
    script = words[words.index("-m") + 1]
    yield module_file(script)
    runs = load_params(ROOT / "params.yaml").all_runs
    if script.startswith("stages.train_"):
        yield module_file(f"facial_expression.networks.{runs[words[-1]].network.module}")
    elif script == "stages.export":
        yield from {module_file(f"facial_expression.networks.{run.network.module}") for run in runs.values()}


@cache
def imported(stage: str) -> tuple[set[str], set[str]]:
    """The project's files that a stage imports, directly or not, and the other modules that these import."""
    files: set[str] = set()
    others: set[str] = set()
    pending = list(starting_points(stage))
    while pending:
        file = pending.pop()
        if file in files or file in COMPUTE_NOTHING:
            continue
        files.add(file)
        names = imported_names(file)
        pending += [found for found in map(module_file, names) if found]
        others |= {name.partition(".")[0] for name in names} - {*CODE, *sys.stdlib_module_names}
    tables = {path for file in files if (ROOT / (path := file.replace(".py", ".csv"))).exists()}
    return {file for file in files if not is_empty(file)} | tables, others


def code_dependencies(stage: str) -> list[str]:
    paths = [Path(dep.fs_path).relative_to(ROOT).as_posix() for dep in STAGES[stage].deps]
    return [path for path in paths if path.startswith(CODE)]


def versions(stage: str) -> set[str]:
    return {key for dep in STAGES[stage].params if dep.def_path == "versions.yaml" for key in dep.params}


def within(folder: str) -> list[str]:
    """The modules of a folder, or the file itself."""
    paths = (ROOT / folder).rglob("*.py") if (ROOT / folder).is_dir() else [ROOT / folder]
    files = [path.relative_to(ROOT).as_posix() for path in paths]
    return [file for file in files if not is_empty(file)]


@pytest.mark.parametrize("stage", STAGES)
def test_depends_on_all_code_that_it_imports(stage):
    listed = code_dependencies(stage)
    missing = [file for file in imported(stage)[0] if not any(Path(file).is_relative_to(path) for path in listed)]
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_depends_on_no_code_that_it_does_not_import(stage):
    """A folder may hold a few more modules than the stage needs: its other stages are cheap."""
    files = imported(stage)[0]
    for path in code_dependencies(stage):
        modules = within(path)
        assert 2 * len(files.intersection(modules)) >= len(modules), path
        assert not COMPUTE_NOTHING.intersection(modules)
    if stage.startswith("train_"):
        assert files.issuperset(file for path in code_dependencies(stage) for file in within(path))


@pytest.mark.parametrize("stage", STAGES)
def test_depends_on_the_versions_of_what_computes(stage):
    libraries = imported(stage)[1]
    assert libraries <= MODULES.keys() | ONLY_MOVE_DATA, "does this library compute?"
    backend = {"tensorflow"} if "keras" in libraries else set()
    assert versions(stage) == (libraries & MODULES.keys()) | backend


def test_versions_are_those_of_the_requirements():
    assert (ROOT / "versions.yaml").read_text() == versions_yaml((ROOT / "requirements.txt").read_text())
    assert YAML(typ="safe").load(ROOT / "versions.yaml").keys() == MODULES.keys()


def test_defaults_of_a_recipe_never_change():
    """DVC tracks what params.yaml says. With another default, a pinned run would have another recipe unnoticed."""
    optional = {key: field.default for key, field in Recipe.model_fields.items() if not field.is_required()}
    off = dict.fromkeys(("flip", "shift", "rotation", "scale", "contrast", "cutout", "mixup"), 0)
    assert optional == {
        "batch_size": 100,
        "schedule": "constant",
        "warmup": 0,
        "weight_decay": 0,
        "label_smoothing": 0,
        "moving_average": 0,
        "precision": "float32",
        "augmentation": Augmentation(**off),
        "time_budget": 0,
        "seed": 1,
    }
    assert Augmentation().model_dump() == off
