"""Run the whole chain on drawn faces in a copy of the project, so that the project itself stays as git has it.

    make demo

Takes five minutes on two recent cores. The copy in demo/ is a project of its own: change its params.yaml, run
`dvc repro` in it, look at its reports. A second run does again only what has changed since.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from rich.console import Console

from facial_expression.protocols import PROTOCOLS
from facial_expression.tables import results_table

ROOT = Path(__file__).resolve().parent.parent
OVERRIDES = Path(__file__).with_name("demo_params.yaml")


def main() -> None:
    demo = ROOT / "demo"
    make_copy(demo, yaml.safe_load(OVERRIDES.read_text()))
    command = [sys.executable, "-m", "dvc", "repro"]
    if subprocess.run(command, cwd=demo).returncode:
        sys.exit("demo: the chain stopped; the message above says why, and a second `make demo` goes on from there")
    metrics = {
        protocol: json.loads((demo / "reports" / protocol / "metrics.json").read_text()) for protocol in PROTOCOLS
    }
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
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        source, target = ROOT / name, destination / name
        if source.exists() and not name.startswith(("reports/", "dvc.lock")):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (destination / "params.yaml").write_text(yaml.safe_dump(_merge(params, overrides), sort_keys=False))
    subprocess.run(["git", "init", "--quiet"], cwd=destination, check=True)


def _merge(base: dict, changes: dict) -> dict:
    merged = dict(base)
    for key, value in changes.items():
        merged[key] = _merge(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return merged


if __name__ == "__main__":
    main()
