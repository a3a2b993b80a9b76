"""Deployment: serving requirements, container and documentation."""

import importlib.metadata
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import threading
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import health
from app.settings import Settings
from facial_expression.faces.detection import landmark_model_path

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
import app.__main__
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
    for path in copied():
        assert (ROOT / path).exists(), path


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
    check = instructions["HEALTHCHECK"].partition("CMD ")[2]
    for command in (instructions["CMD"], check):
        program, option, module = json.loads(command)
        assert (program, option) == ("python", "-m")
        assert importlib.util.find_spec(module)
    assert instructions["USER"] != "root"


def test_container_sets_known_settings():
    variables = dict(
        item.split("=", 1) for name, arguments in INSTRUCTIONS if name == "ENV" for item in shlex.split(arguments)
    )
    ours = {name for name in variables if name.startswith("FACIAL_EXPRESSION_")}
    assert ours
    assert ours <= {f"FACIAL_EXPRESSION_{field.upper()}" for field in Settings.model_fields}


@pytest.mark.parametrize("file", ["app/Dockerfile", "Makefile"])
def test_ships_only_the_landmark_model_in_use(tmp_path, file):
    kept = landmark_model_path().name
    for name in (kept, "shape_predictor_5_face_landmarks.dat", "mmod_human_face_detector.dat", "notes.txt"):
        (tmp_path / name).touch()
    find = re.search(r"find (?:/environment|\$\(SERVE\)) (.+?-delete)", (ROOT / file).read_text())
    assert find
    subprocess.run(["find", str(tmp_path), *shlex.split(find[1])], check=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", kept]


def serve_health(status: int) -> tuple[HTTPServer, int]:
    """A server that reports this status, and its port."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_port


@pytest.mark.parametrize("variable", ["FACIAL_EXPRESSION_PORT", "PORT"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_check_asks_the_configured_port(monkeypatch, variable, status, code):
    server, port = serve_health(status)
    for name in ("FACIAL_EXPRESSION_PORT", "PORT", "FACIAL_EXPRESSION_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(port))
    assert health.main() == code
    server.shutdown()
    server.server_close()
    assert health.main() == 1


def test_serving_needs_neither_dvc_nor_git():
    """So that it also runs from a ZIP: its recipes name neither, and it depends on no target that does."""
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^serve: \$\(SERVE\)/ready +##", makefile, re.MULTILINE)
    for target in ("serve:", "$(SERVE)/ready:"):
        rule = re.search(rf"^{re.escape(target)}.*\n(?:\t.*\n)+", makefile, re.MULTILINE)[0]
        assert not re.search(r"\b(dvc|git|\$\(BIN\)|\$\(READY\))", rule)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_readme_documents_setting_and_default(field):
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (ROOT / "app" / "README.md").read_text(), re.MULTILINE))
    default = Settings.model_fields[field].default
    shown = rows[field.upper()].strip("`")
    if field == "workers":
        assert shown == "number of cores"
    elif default in ("", ()):
        assert shown == "none"
    else:
        assert shown == f"{default:g}" if isinstance(default, float) else shown == str(default)
