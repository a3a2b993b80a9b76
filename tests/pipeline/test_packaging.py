"""Packaging: the wheel, its extras and the pinned requirements."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS = {"train", "serve", "parquet", "plot", "distributed", "remote", "dev"}
INSIDE = {"app": "facial_expression/app", "models/serving": "facial_expression/model"}
OWNERS = importlib.metadata.packages_distributions()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The package's wheel, built from a copy, as building leaves files behind."""
    project = tmp_path_factory.mktemp("wheel")
    for folder in ("facial_expression", *INSIDE):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / name, project)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    result = subprocess.run([sys.executable, "-c", build], cwd=project, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return zipfile.ZipFile(next(project.glob("*.whl")))


@pytest.fixture(scope="module")
def declared(wheel) -> dict[str, dict[str, Requirement]]:
    """The wheel's requirements on this platform by extra and name; those without an extra under ""."""
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    lines = re.findall("^Requires-Dist: (.+)$", wheel.read(metadata).decode(), re.MULTILINE)
    of_extra = {extra: [line for line in lines if f'extra == "{extra}"' in line] for extra in EXTRAS}
    core = [line for line in lines if "extra ==" not in line]
    return {"": applicable(core), **{extra: applicable(items, extra) for extra, items in of_extra.items()}}


def applicable(lines: Iterable[str], extra: str = "", **environment: str) -> dict[str, Requirement]:
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(item.name): item
        for item in requirements
        if item.marker is None or item.marker.evaluate({"extra": extra, **environment})
    }


def installed_with(requirements: Iterable[Requirement]) -> set[str]:
    """Names of the distributions that these requirements install, directly or not."""
    found: set[tuple[str, str]] = set()  # names and extras
    pending = list(requirements)
    while pending:
        item = pending.pop()
        name = canonicalize_name(item.name)
        for extra in {"", *item.extras} - {extra for known, extra in found if known == name}:
            found.add((name, extra))
            pending += applicable(importlib.metadata.requires(name) or [], extra).values()
    return {name for name, _ in found}


def owners(module: str) -> set[str]:
    """Distributions that install a module; none for the standard library and the project's own."""
    return {canonicalize_name(name) for name in OWNERS.get(module.partition(".")[0], [])}


def imported(*folders: str) -> dict[str, str]:
    """The modules that the files of folders import, each with one of these files."""
    modules = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules.update({alias.name: path.name for alias in node.names})
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules[node.module] = path.name
    return modules


def pins(file: str) -> list[str]:
    """Logical lines of a requirements file, without comments."""
    lines = re.sub(r"^\s*#.*$", "", (ROOT / file).read_text(), flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


def pinned(file: str, python: str) -> dict[str, Requirement]:
    """What a requirements file installs on Linux for a version of Python."""
    system = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    environment = system | {"python_version": python, "python_full_version": f"{python}.0"}
    return applicable([line.partition(" --hash")[0] for line in pins(file)], **environment)


def test_wheel_holds_package_and_app_and_model(wheel):
    expected = {}
    for folder, place in {"facial_expression": "facial_expression", **INSIDE}.items():
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        expected |= {f"{place}/{path.relative_to(ROOT / folder).as_posix()}": path.read_bytes() for path in files}
    for name in ("Dockerfile", "README.md"):  # of the application: not for those who install it
        del expected[f"facial_expression/app/{name}"]
    assert "facial_expression/model/model.onnx" in expected
    held = {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}
    assert held == expected.keys()
    assert all(wheel.read(name) == content for name, content in expected.items())


def test_wheel_installs_the_command(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "facial-expression = facial_expression.cli.main:main" in wheel.read(entry_points).decode()


def test_wheel_works_away_from_the_clone(wheel, tmp_path):
    """It finds its model, and the application its files."""
    wheel.extractall(tmp_path / "site")
    script = """
from starlette.testclient import TestClient
from facial_expression.app.main import create_app
from facial_expression.app.settings import Settings
from facial_expression.served_model import find_model
with TestClient(create_app(Settings(model=find_model()))) as client:
    for path in ("/", "/docs", "/static/scripts/page.js", "/api/v1/model"):
        print(client.get(path).status_code)
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.stdout.split() == ["200"] * 4, result.stderr


def test_no_extra_repeats_a_core_requirement(declared):
    for group in declared.values():
        assert group
    for extra in EXTRAS:
        assert declared[""].keys().isdisjoint(declared[extra])


def test_core_installs_no_training_or_serving_library(declared):
    core = installed_with(declared[""].values())
    assert core.isdisjoint(declared["train"])
    assert core.isdisjoint(declared["serve"])


def test_gpl_packages_are_named_and_for_development_alone(declared):
    found = {name for extra in EXTRAS for name in installed_with(declared[extra].values()) if is_gpl(name)}
    text = (ROOT / "THIRD_PARTY.md").read_text()
    assert found == {"grandalf", "pygit2"}
    assert all(name in text for name in found)
    assert found.isdisjoint(installed_with([*declared[""].values(), *declared["serve"].values()]))


def is_gpl(name: str) -> bool:
    """Whether a distribution is under the GPL, with no other license to choose."""
    about = importlib.metadata.metadata(name)
    terms = [about.get("License-Expression") or about.get("License") or "", *about.get_all("Classifier", [])]
    return any(re.search(r"\bGPL|General Public License v\d \(GPL", term) and " OR " not in term for term in terms)


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (["facial_expression", "stages"], ["train", "parquet", "plot", "distributed", "remote"]),
        (["app"], ["serve"]),
        (["benchmarks", "tests", "tools"], EXTRAS),
    ],
    ids=["pipeline", "application", "development"],
)
def test_declares_every_library_it_imports(declared, folders, extras):
    items = [item for extra in ("", *extras) for item in declared[extra].values()]
    available = installed_with(items)
    for module, file in imported(*folders).items():
        assert not owners(module) or owners(module) & available, f"{file} imports {module}"


@pytest.mark.parametrize(
    "module", ["facial_expression.recognizer", "facial_expression.cli.main", "facial_expression.cli.prediction"]
)
def test_core_modules_import_core_libraries_only(declared, module):
    script = f"import sys; import {module}; print(*sys.modules, sep='\\n')"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    modules = result.stdout.split()
    assert module in modules
    core = installed_with(declared[""].values())
    foreign = {name for name in modules if owners(name) and not owners(name) & core}
    assert foreign <= {"_distutils_hack"}  # which setuptools loads when Python starts


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-serve.txt"])
def test_pins_every_requirement_with_hashes(file):
    for line in pins(file):
        requirement, *hashes = line.split(" --hash=")
        assert re.fullmatch(r"==[^*,]+", str(Requirement(requirement).specifier)), line
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", value) for value in hashes), requirement


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_both_files_pin_the_same_versions(python):
    everything, serving = pinned("requirements.txt", python), pinned("requirements-serve.txt", python)
    assert serving.keys() <= everything.keys()
    assert {name: str(item.specifier) for name, item in serving.items()} == {
        name: str(everything[name].specifier) for name in serving
    }


@pytest.mark.parametrize(
    ("file", "extras"), [("requirements.txt", EXTRAS), ("requirements-serve.txt", {"serve"})], ids=["all", "serve"]
)
def test_pins_fulfill_the_declared_requirements(declared, file, extras):
    versions = pinned(file, f"{sys.version_info.major}.{sys.version_info.minor}")
    for extra in ("", *extras):
        for name, item in declared[extra].items():
            version = str(versions[name].specifier).removeprefix("==")
            assert item.specifier.contains(version), f"{item} is pinned to {version}: make requirements"


def test_make_lists_every_target_with_a_description():
    environment = {"PATH": os.environ["PATH"]}  # without the flags of a make that runs the tests
    result = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    targets = re.search("^\\.PHONY: help (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["make", target] for target in targets[1].split()]
    assert all(len(line) == 3 for line in lines)
