"""Deployment: serving requirements, container and documentation."""

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
from packaging.utils import canonicalize_name

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
    """The requirements in a file that apply to Python 3.11 on Linux, by normalized name; hashes are ignored."""
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    pins = [re.sub(r"\s--hash=\S+", "", line.partition("#")[0]).strip() for line in lines]
    found = [Requirement(pin) for pin in pins if pin]
    environment = {"python_version": "3.11", "python_full_version": "3.11.9", "platform_machine": "x86_64"}
    return {
        canonicalize_name(item.name): item for item in found if item.marker is None or item.marker.evaluate(environment)
    }


SERVE = requirements("requirements-serve.txt")


def test_serving_requirements_are_complete():
    """Everything that a pinned package requires is pinned too."""
    environment = {"extra": ""}
    for name in SERVE:
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(environment):
                assert canonicalize_name(needed.name) in SERVE, f"{name} needs {needed.name}"


def test_app_starts_with_serving_requirements_only(model_directory):
    code = f"""
import importlib.metadata, re, sys
owners = importlib.metadata.packages_distributions()
class Refuse:
    def find_spec(self, name, path=None, target=None):
        packages = [re.sub("[-_.]+", "-", owner).lower() for owner in owners.get(name.partition(".")[0], [])]
        if packages and not set(packages) & {set(SERVE)!r}:
            raise ModuleNotFoundError(name + " is not a serving requirement")
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
    """Paths in the repository that are copied into the image."""
    sources = []
    for name, arguments in INSTRUCTIONS:
        if name == "COPY" and not arguments.startswith("--from"):
            *paths, _ = [word for word in arguments.split() if not word.startswith("--")]
            sources += paths
    return sources


def test_container_copies_required_files():
    assert set(copied()) == {"requirements-serve.txt", "models/serving", "facial_expression", "app"}
    stages = (ROOT / "dvc.yaml").read_text()
    for path in copied():
        assert (ROOT / path).exists() or f"- {path}" in stages, path  # the model is a stage's output


def test_build_context_has_copied_files_and_no_data():
    def included(path: str) -> bool:
        result = True
        for line in (ROOT / ".dockerignore").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            pattern = line.removeprefix("!")
            parts = Path(path).parts
            prefixes = ["/".join(parts[: end + 1]) for end in range(len(parts))]
            if any(fnmatch(prefix, pattern) for prefix in prefixes):
                result = line.startswith("!")
        return result

    for path in copied():
        assert included(path), path
    for path in ("data/raw/fer2013.csv", "models/official/wide", ".venv", ".git", "reports"):
        assert not included(path), path


def test_container_commands_exist():
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


def test_container_sets_known_settings():
    variables = dict(
        item.split("=", 1) for name, arguments in INSTRUCTIONS if name == "ENV" for item in shlex.split(arguments)
    )
    ours = {name for name in variables if name.startswith("FACIAL_EXPRESSION_")}
    fields = {f"FACIAL_EXPRESSION_{field.upper()}" for field in Settings.model_fields}
    assert ours
    assert ours <= fields
    assert f"127.0.0.1:{variables['UVICORN_PORT']}/healthz" in DOCKERFILE


@pytest.mark.parametrize("field", Settings.model_fields)
def test_readme_documents_setting_and_default(field):
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (ROOT / "app" / "README.md").read_text(), re.MULTILINE))
    default = Settings.model_fields[field].default
    shown = rows[field.upper()].strip("`")
    if field == "workers":
        assert shown == "number of cores"
    else:
        assert shown == f"{default:g}" if isinstance(default, float) else shown == str(default)
