"""The subcommands besides ``predict``."""

import json
import subprocess
import sys
import time
import urllib.request

import click
import pytest
from click.testing import CliRunner

from facial_expression.cli import main
from facial_expression.cli.main import command
from facial_expression.errors import UserError
from helpers.served_model import write_model


def run(*words):
    return CliRunner().invoke(command, list(map(str, words)), catch_exceptions=False)


def test_info_shows_what_the_model_is(model_directory):
    lines = dict(line.split(maxsplit=1) for line in run("info", "--model", model_directory).output.splitlines())
    assert lines["classes"] == "angry, fear, happy, sad, surprise, neutral"
    assert lines["accuracy"] == "66.0% (95% interval 64.5 to 67.5) on 3,534 test faces"
    assert lines["file"] == str(model_directory / "model.onnx")
    md5 = subprocess.run(["md5sum", lines["file"]], capture_output=True, text=True).stdout.split()[0]
    assert lines["MD5"] == md5
    assert "forbids commercial use" in lines["license"]


@pytest.mark.parametrize("key", ["classes", "metrics", "model"])
def test_info_names_what_a_card_lacks(tmp_path, key):
    path = write_model(tmp_path) / "card.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))
    with pytest.raises(UserError, match=f"{key}.* is missing or wrong"):
        run("info", "--model", tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    assert "_FACIAL_EXPRESSION_COMPLETE" in run("completion", shell).output


def test_shell_completes_options():
    variables = {"_FACIAL_EXPRESSION_COMPLETE": "bash_complete", "COMP_WORDS": "facial-expression predict --wh"}
    result = CliRunner().invoke(command, [], env=variables | {"COMP_CWORD": "2"}, prog_name="facial-expression")
    assert result.output.strip() == "plain,--whole-picture"


def test_report_opens_the_page(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"report\.html is missing: run this command in a clone"):
        run("report")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "report.html").touch()
    assert run("report").exit_code == 0
    assert opened == ["reports/report.html"]


def test_serve_starts_the_application(start, tmp_path, free_port):
    process = start("serve", "--port", free_port, folder=tmp_path)
    end = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/api/v1/model", timeout=5) as response:
                assert json.load(response)["run"] == "linear"
                return
        except OSError:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.2)


def test_serve_says_which_extra_is_missing(monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr(main, "import_module", fail)
    monkeypatch.setattr("os.environ", {})
    with pytest.raises(UserError, match=r"uvicorn is missing: pip install 'facial-expression\[serve\]'"):
        run("serve")


@pytest.mark.parametrize(
    ("module", "library", "message"),
    [("parquet", "pyarrow", r"\[parquet\]"), ("timeline", "matplotlib.figure", r"\[plot\]")],
)
def test_missing_extra_is_named(monkeypatch, module, library, message):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"facial_expression.cli.{module}", raising=False)
    with pytest.raises(UserError, match=rf"pip install 'facial-expression{message}'"):
        __import__(f"facial_expression.cli.{module}")
