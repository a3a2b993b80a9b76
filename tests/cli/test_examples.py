"""The examples in --help, in the README and in docs/ are run as they are."""

import re
import shlex

import pytest
from click.testing import CliRunner

from facial_expression.cli.main import command
from helpers.films import write_video
from helpers.photos import draw, encode, photograph
from helpers.project import ROOT

COMMAND = re.compile(r"^ {4,}(.*facial-expression (?:predict|info|completion).+?)(?:  +#.*)?$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.+?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("camera:", "s3:", ">")
"""What marks an example that needs a camera, a storage or one's own shell; other tests cover these."""
DOCUMENTS = {name: (ROOT / name).read_text() for name in ("README.md", "docs/command.md", "docs/api.md")}


@pytest.fixture
def folder(tmp_path, monkeypatch, model_directory):
    """A folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACIAL_EXPRESSION_MODEL", str(model_directory))
    for place in ("photos", "crops"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "one.jpg").write_bytes(encode(photograph(draw()), "JPEG"))
    (tmp_path / "photo.jpg").write_bytes(encode(photograph(draw()), "JPEG"))
    write_video(tmp_path / "talk.webm").rename(tmp_path / "talk.mp4")
    return tmp_path


def examples() -> list[str]:
    helps = [CliRunner().invoke(command, [name, "--help"]).output for name in command.commands]
    return sorted({line for text in (*helps, *DOCUMENTS.values()) for line in COMMAND.findall(text)})


def test_help_of_predict_shows_examples_in_100_columns():
    text = CliRunner().invoke(command, ["predict", "--help"], terminal_width=100).output
    assert len(COMMAND.findall(text)) >= 6
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("example", [line for line in examples() if not any(part in line for part in ELSEWHERE)])
def test_command_example_succeeds(folder, example):
    _, _, words = example.rpartition("facial-expression ")
    names = "photo.jpg\ncrops/one.jpg\n" if example.startswith("find") else None
    result = CliRunner().invoke(command, shlex.split(words), input=names, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    match = re.search(r"-o (\S+)", words)
    assert match is None or (folder / match[1]).stat().st_size > 0


@pytest.mark.parametrize("name", ["README.md", "docs/api.md"])
def test_python_example_prints_a_face(folder, name, capsys):
    (code, *_) = BLOCK.findall(DOCUMENTS[name])
    exec(compile(code, name, "exec"), {})
    assert re.search("angry|fear|happy|sad|surprise|neutral", capsys.readouterr().out)
