"""What the application is deployed with: its requirements, its container, its documentation."""

import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "app" / "Dockerfile").read_text()
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in DOCKERFILE.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]
FORBIDDEN = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "joblib", "dvc", "matplotlib", "requests", "tqdm")


def requirements(name: str) -> dict[str, Requirement]:
    """The requirements in a file that hold for Python 3.11 on Linux, by normalized name."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line]
    environment = {"python_version": "3.11", "python_full_version": "3.11.9", "platform_machine": "x86_64"}
    return {
        re.sub(r"[-_.]+", "-", item.name).lower(): item
        for item in found
        if item.marker is None or item.marker.evaluate(environment)
    }


SERVE = requirements("requirements-serve.txt")


def test_every_serving_dependency_is_pinned_exactly():
    for item in SERVE.values():
        assert [part.operator for part in item.specifier] == ["=="], item


def test_serving_uses_the_versions_of_the_pipeline():
    pipeline = requirements("requirements.txt")
    shared = SERVE.keys() & pipeline.keys()
    assert {"numpy", "opencv-python-headless", "dlib-bin", "onnxruntime", "face-recognition-models"} <= shared
    assert {name: SERVE[name].specifier for name in shared} == {name: pipeline[name].specifier for name in shared}


def test_the_requirements_are_complete():
    """Whatever a pinned package needs is pinned too, as far as the packages are installed here."""
    environment = {"extra": ""}
    for name in SERVE:
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(environment):
                assert re.sub(r"[-_.]+", "-", needed.name).lower() in SERVE, f"{name} needs {needed.name}"


def test_the_application_starts_with_nothing_else(model_directory):
    code = f"""
import importlib.metadata, re, sys
owners = importlib.metadata.packages_distributions()
class Refuse:
    def find_spec(self, name, path=None, target=None):
        packages = [re.sub("[-_.]+", "-", owner).lower() for owner in owners.get(name.partition(".")[0], [])]
        if packages and not set(packages) & {set(SERVE)!r}:
            raise ModuleNotFoundError(name + " is not installed where this is served")
sys.meta_path.insert(0, Refuse())
from app.main import create_app
from app.settings import Settings
create_app(Settings(model={str(model_directory)!r}))
heavy = {set(FORBIDDEN)!r} & set(sys.modules)
assert not heavy, heavy
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def copied() -> list[str]:
    """Paths of the repository that the image takes."""
    sources = []
    for name, arguments in INSTRUCTIONS:
        if name == "COPY" and not arguments.startswith("--from"):
            *paths, _ = [word for word in arguments.split() if not word.startswith("--")]
            sources += paths
    return sources


def test_the_container_takes_what_exists_and_what_it_needs():
    assert set(copied()) == {"requirements-serve.txt", "models/serving", "facial_expression", "app"}
    stages = (ROOT / "dvc.yaml").read_text()
    for path in copied():
        assert (ROOT / path).exists() or f"- {path}" in stages, path  # a stage makes the model


def test_the_build_context_holds_what_is_copied_and_no_data():
    def included(path: str) -> bool:
        verdict = True
        for line in (ROOT / ".dockerignore").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            pattern = line.removeprefix("!")
            parts = Path(path).parts
            beginnings = ["/".join(parts[: end + 1]) for end in range(len(parts))]
            if any(fnmatch(beginning, pattern) for beginning in beginnings):
                verdict = line.startswith("!")
        return verdict

    for path in copied():
        assert included(path), path
    for path in ("data/raw/fer2013.csv", "models/official/wide", ".venv", ".git", "reports"):
        assert not included(path), path


def test_the_commands_of_the_container_exist():
    instructions = dict(reversed(INSTRUCTIONS))
    runs = [arguments for name, arguments in INSTRUCTIONS if name == "RUN"]
    assert any("--requirement requirements-serve.txt" in run for run in runs)
    for name, arguments in INSTRUCTIONS:
        if name == "CMD":
            program, *options = json.loads(arguments)
            assert program == "uvicorn"
            module, _, factory = options[options.index("--factory") + 1].partition(":")
            assert callable(getattr(__import__(module, fromlist=[factory]), factory))
            known = subprocess.run([sys.executable, "-m", "uvicorn", "--help"], capture_output=True, text=True).stdout
            assert all(option in known for option in options if option.startswith("--"))
    assert instructions["USER"] != "root"
    check = instructions["HEALTHCHECK"]
    code = json.loads(check[check.index("[") :])[2]
    compile(code, "HEALTHCHECK", "exec")


def test_the_container_sets_what_the_application_reads():
    variables = dict(
        item.split("=", 1) for name, arguments in INSTRUCTIONS if name == "ENV" for item in shlex.split(arguments)
    )
    ours = {name for name in variables if name.startswith("FACIAL_EXPRESSION_")}
    fields = {f"FACIAL_EXPRESSION_{field.upper()}" for field in Settings.model_fields}
    assert ours
    assert ours <= fields
    assert f"127.0.0.1:{variables['UVICORN_PORT']}/healthz" in DOCKERFILE


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(field):
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (ROOT / "app" / "README.md").read_text(), re.MULTILINE))
    default = Settings.model_fields[field].default
    shown = rows[field.upper()].strip("`")
    if field == "workers":
        assert shown == "number of cores"
    else:
        assert shown == f"{default:g}" if isinstance(default, float) else shown == str(default)
