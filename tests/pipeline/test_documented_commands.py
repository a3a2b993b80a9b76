"""Every command of the documents is run as it is written, or documented_commands.yaml says why not."""

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from facial_expression.evaluation.tables import replace_block
from facial_expression.params import load_params
from helpers.documents import DOCUMENTED, commands_in_sentences, commands_of, shell_blocks
from helpers.project import ROOT, environment, git
from helpers.server import Server, free_port, wait_until_ready
from helpers.server import environment as server_environment

HERE = "tests/pipeline/test_documented_commands.py"
IN_A_CLONE = set(commands_of(f"{HERE}::test_commands_succeed_in_a_clone"))
MODULES = commands_of(f"{HERE}::test_modules_have_the_documented_options")
BLOCKS = {tuple(line for line in lines if line in IN_A_CLONE): name for name, lines in shell_blocks()}
EDITOR = "sed -i 1iMessage"


@pytest.fixture
def clone(tmp_path) -> Path:
    """A clone with this environment in .venv and .venv-serve, and a last commit after which the README needs tables."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    for name in (".venv", ".venv-serve"):
        (clone / name).mkdir()
        for path in Path(sys.prefix).iterdir():
            (clone / name / path.name).symlink_to(path)
        (clone / name / "ready").unlink(missing_ok=True)
        (clone / name / "ready").touch()
    for key, value in {"user.name": "test", "user.email": "test@example.org"}.items():
        git(clone, "config", key, value)
    replace_block(clone / "README.md", "results", "")
    git(clone, "commit", "--quiet", "--all", "--message", "Empty the table")
    return clone


def run(clone: Path, *lines: str) -> None:
    """Run lines as one script of Bash, and require its success."""
    variables = environment() | {"GIT_EDITOR": EDITOR, "REMOTE": str(clone.parent)}
    command = ["bash", "-c", "\n".join(["set -e -o pipefail", *lines])]
    result = subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


def test_every_command_is_listed_once():
    documented = {line for _, lines in shell_blocks() for line in lines}
    listed = [line for group in DOCUMENTED.values() for lines in group.values() for line in lines]
    assert sorted(documented - set(listed)) == [], (
        "name a test that runs them, or a reason, in documented_commands.yaml"
    )
    assert sorted(set(listed) - documented) == [], "no document has them any more"
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", DOCUMENTED["run_by"])
def test_named_test_exists(name):
    path, _, function = name.partition("::")
    assert f"\ndef {function}(" in (ROOT / path).read_text()


def test_continuous_integration_runs_what_is_left_to_it():
    steps = re.findall(r"run: (make .+)$", (ROOT / ".github/workflows/ci.yml").read_text(), re.MULTILINE)
    for command in DOCUMENTED["not_run"]["continuous integration runs it on every push"]:
        assert [step for step in steps if set(command.split()) <= set(step.split())]


@pytest.mark.parametrize("lines", [pytest.param(lines, id=f"{BLOCKS[lines]}: {lines[0]}") for lines in BLOCKS if lines])
def test_commands_succeed_in_a_clone(clone, lines):
    run(clone, *lines)


@pytest.mark.parametrize("command", commands_of(f"{HERE}::test_experiments_have_valid_parameters"))
def test_experiments_have_valid_parameters(clone, command):
    """Queued instead of run."""
    run(clone, re.sub("dvc exp run( --queue)?", "dvc exp run --queue", command))
    queued = git(clone, "log", "--walk-reflogs", "--format=%H", "refs/exps/celery/stash").split()
    assert len(queued) == (4 if "--queue" in command else 1)
    different = {str(load_params(clone / "params.yaml"))}
    for commit in queued:
        (clone / "params.yaml").write_text(git(clone, "show", f"{commit}:params.yaml"))
        different.add(str(load_params(clone / "params.yaml")))
    assert len(different) == 1 + len(queued)


@pytest.mark.parametrize("command", commands_of(f"{HERE}::test_servers_answer_on_their_port"))
def test_servers_answer_on_their_port(clone, tmp_path, command):
    """At a free port instead of 8000, which the settings name, and 8001."""
    port = free_port()
    settings = {} if "8001" in command else {"port": port}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            shlex.split(command.replace("8001", str(port))),
            cwd=clone,
            env=server_environment(response_timeout=60, **settings),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process, tmp_path / "log", port)
    try:
        wait_until_ready(server)
        assert server.get("/") == 200
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("command", sorted({*MODULES, *commands_in_sentences("python -m")} - {"python -m app"}))
def test_modules_have_the_documented_options(command):
    """``python -m app`` has none."""
    words = command.split()
    command_line = [sys.executable, *words[1:3], "--help"]
    shown = subprocess.run(command_line, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown))


def test_make_has_the_targets_in_sentences():
    targets = [".venv/ready", *re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)]
    for command in commands_in_sentences("make"):
        assert {word for word in shlex.split(command)[1:] if "=" not in word} <= set(targets), command


@pytest.mark.parametrize("command", [*commands_in_sentences("git show"), *commands_in_sentences("dvc metrics diff")])
def test_history_has_the_commits_in_sentences(command):
    if not (ROOT / ".git").exists() or git(ROOT, "rev-parse", "--is-shallow-repository") == "true\n":
        pytest.skip("no history")
    for word in re.findall(r"[0-9a-f]{7}\S*", command):
        git(ROOT, "cat-file", "-e", word)
