"""Run the whole pipeline on synthetic faces in a copy of the project, so that the project itself stays clean.

    make demo

Takes about seven minutes on two cores, after the installation. The copy in demo/ is a repository of its own with one
commit: change its params.yaml, run `dvc repro` or `dvc exp run` in it, compare with `dvc metrics diff`. A second
`make demo` brings its code and parameters back to the project's, and reruns only what that changes.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from ruamel.yaml import YAML

from facial_expression.evaluation.tables import results_table
from facial_expression.files import read_json, remove
from facial_expression.params import load_params

ROOT = Path(__file__).resolve().parent.parent
OVERRIDES = Path(__file__).with_name("demo_params.yaml")
LEFT_BEHIND = ("reports/", "models/", "dvc.lock")
"""What belongs to the project's own data."""


def main() -> None:
    demo = ROOT / "demo"
    make_copy(demo, YAML(typ="safe").load(OVERRIDES))
    if subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=demo).returncode:
        sys.exit("demo: the pipeline stopped for the reason above; a second `make demo` resumes it")
    commit(demo, "Run the pipeline on synthetic faces")
    reports = load_params(demo / "params.yaml").evaluate
    models = {report: read_json(demo / "reports" / report / "models.json", "make demo") for report in reports}
    console = Console(highlight=False)
    console.print("\n[bold]Synthetic faces and short trainings: the figures say nothing about real faces.[/bold]\n")
    console.print(results_table(models, comparable=False))
    console.print("\nopen  demo/reports/report.html, the report: a page with every figure; no server needed")
    console.print("try   cd demo && ../.venv/bin/dvc metrics show")
    console.print("then  make repro, for the real data (README.md)")


def make_copy(destination: Path, overrides: dict[str, Any]) -> None:
    """Copy all files that git tracks or would track, with some parameters changed, as a git repository of its own.

    Variants of runs, which say something about the real data alone, are left out unless ``overrides`` has them.

    Data, models and cache of an earlier run stay in ``destination``, so that DVC skips what has not changed.
    """
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{ROOT} is no git repository, which DVC needs: clone the project, or run `git init` there")
    names = [name for name in result.stdout.split("\0") if name and not name.startswith(LEFT_BEHIND)]
    for folder in {name.split("/")[0] for name in names if "/" in name} - {".dvc"}:
        remove(destination / folder)  # otherwise a module that the project no longer has would stay
    for name in names:
        source, target = ROOT / name, destination / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    params = YAML().load(ROOT / "params.yaml")
    for runs in params["runs"].values():
        for name in [name for name, run in runs.items() if "variant_of" in run]:
            del runs[name]
    _override(params, overrides)
    YAML().dump(params, destination / "params.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=destination, check=True)


def commit(repository: Path, message: str) -> None:
    """Commit everything, if anything changed."""
    # `dvc exp run` needs an identity in the repository's own configuration.
    for key, value in (("user.name", "demo"), ("user.email", "demo@example.org")):
        subprocess.run(["git", "config", key, value], cwd=repository, check=True)
    subprocess.run(["git", "add", "--all"], cwd=repository, check=True)
    if subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=repository).returncode:
        subprocess.run(["git", "commit", "--quiet", "--no-verify", "-m", message], cwd=repository, check=True)


def _override(params: dict[str, Any], overrides: dict[str, Any]) -> None:
    for key, value in overrides.items():
        if value is None:
            del params[key]
        elif isinstance(value, dict) and key in params:
            _override(params[key], value)
        else:
            params[key] = value


if __name__ == "__main__":
    main()
