"""Run the whole chain on drawn faces in a copy of the project, so that the project itself stays as git has it.

    make demo

Takes about ten minutes on two cores. The copy in demo/ is a project of its own: change its params.yaml, run
`dvc repro` in it, look at its reports. A second `make demo` brings its code and parameters back to the project's, and
does again only what that changes.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from ruamel.yaml import YAML

from facial_expression.atomic import remove
from facial_expression.params import REPORTS
from facial_expression.tables import results_table

ROOT = Path(__file__).resolve().parent.parent
OVERRIDES = Path(__file__).with_name("demo_params.yaml")
LEFT_BEHIND = ("reports/", "dvc.lock", "release-store/")
"""What is about the project's own data."""


def main() -> None:
    demo = ROOT / "demo"
    make_copy(demo, YAML(typ="safe").load(OVERRIDES))
    command = [sys.executable, "-m", "dvc", "repro"]
    if subprocess.run(command, cwd=demo).returncode:
        sys.exit("demo: the chain stopped; the message above says why, and a second `make demo` goes on from there")
    metrics = {report: json.loads((demo / "reports" / report / "metrics.json").read_text()) for report in REPORTS}
    console = Console()
    console.print("\n[bold]Drawn faces, schedules of a minute: the chain runs, the figures mean nothing yet.[/bold]\n")
    console.print(results_table(metrics, comparable=False))
    console.print("\nopen  demo/reports/official/figures/confusion_ensemble.png", highlight=False)
    console.print("then  README.md, section «The real data»", highlight=False)


def make_copy(destination: Path, overrides: dict) -> None:
    """Copy all files that git tracks or would track, with some parameters changed, as a git repository of its own.

    What an earlier run left in ``destination`` (data, models, cache) stays, so that dvc can skip what has not changed.
    """
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    result = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{ROOT} is no git repository, which dvc needs: clone the project, or run `git init` there")
    names = [name for name in result.stdout.split("\0") if name and not name.startswith(LEFT_BEHIND)]
    for folder in {name.split("/")[0] for name in names if "/" in name} - {".dvc"}:
        remove(destination / folder)  # else a module that the project no longer has would stay
    for name in names:
        source, target = ROOT / name, destination / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    params = YAML().load(ROOT / "params.yaml")
    _change(params, overrides)
    YAML().dump(params, destination / "params.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=destination, check=True)


def _change(params: dict, overrides: dict) -> None:
    for key, value in overrides.items():
        if isinstance(value, dict):
            _change(params[key], value)
        else:
            params[key] = value


if __name__ == "__main__":
    main()
