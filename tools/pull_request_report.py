"""What a branch changes: metrics, parameters and figures, as Markdown.

    make report BASE=main

Continuous integration posts it on a pull request. Metrics and parameters come from `dvc metrics diff` and
`dvc params diff`. Pictures lie in git, so the report links both versions where `GITHUB_SERVER_URL` and
`GITHUB_REPOSITORY` say which repository this is, and otherwise names them.
"""

import argparse
import os
import subprocess
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description="Report what HEAD changes since it left another branch")
    parser.add_argument("base", help="a branch, tag or commit")
    base = _run("git", "merge-base", parser.parse_args().base, "HEAD").strip()
    head = _run("git", "rev-parse", "HEAD").strip()
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    print(f"## What {head[:7]} changes since {base[:7]}\n")
    for title in ("metrics", "params"):
        table = _run(sys.executable, "-m", "dvc", title, "diff", "--md", base, head)
        print(f"### {title.capitalize()}\n\n{_fold(table.replace(base, 'before').replace(head, 'after'))}\n")
    pictures = _run("git", "diff", "--name-only", "--no-renames", base, head, "--", "reports/*.png").splitlines()
    url = f"{server}/{repository}" if server and repository else None
    compared = [_compare(path, base, head, url) for path in pictures]
    print("### Figures\n\n" + "\n\n".join(compared or ["No difference."]))


def _run(*command: str) -> str:
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"report: `{' '.join(command)}` failed for the reason above")
    return result.stdout


def _fold(table: str, rows: int = 20) -> str:
    """A table of more than 20 rows, closed until it is clicked on."""
    count = len(table.strip().splitlines()) - 2  # without the header
    if count < 1:
        return "No difference."
    return table.strip() if count <= rows else f"<details><summary>{count} rows</summary>\n\n{table}\n</details>"


def _compare(path: str, base: str, head: str, url: str | None) -> str:
    """A picture before and after, as far as it existed and exists."""
    versions = {"before": base, "after": head}
    there = {name: commit for name, commit in versions.items() if _exists(commit, path)}
    if not url:
        return f"`{path}`: {' and '.join(there)}"
    cells = [f"![{name}]({url}/blob/{commit}/{path}?raw=true)" for name, commit in there.items()]
    return f"`{path}`\n\n| {' | '.join(there)} |\n|{' --- |' * len(there)}\n| {' | '.join(cells)} |"


def _exists(commit: str, path: str) -> bool:
    return subprocess.run(["git", "cat-file", "-e", f"{commit}:{path}"], stderr=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    main()
