"""Settings and the number of cores."""

import os
from pathlib import Path

import pytest

from app.settings import Settings, load_settings
from facial_expression.cores import usable_cores
from facial_expression.errors import UserError


@pytest.fixture
def variables(monkeypatch):
    """Sets variables of the application, and removes all others."""

    def set_variables(**values: str) -> None:
        for name in os.environ:
            if name.startswith("FACIAL_EXPRESSION_") or name == "PORT":
                monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_reads_settings_from_environment(variables):
    variables(FACIAL_EXPRESSION_MAX_FACES="3", FACIAL_EXPRESSION_CORS_ORIGINS="https://a.example, https://b.example")
    settings = load_settings()
    assert settings.max_faces == 3
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_reads_port_that_platforms_set(variables):
    variables(PORT="8001")
    assert load_settings().port == 8001
    variables(PORT="8001", FACIAL_EXPRESSION_PORT="8002")
    assert load_settings().port == 8002


def test_names_every_invalid_value(variables):
    variables(FACIAL_EXPRESSION_WORKERS="none", FACIAL_EXPRESSION_PORT="70000")
    with pytest.raises(UserError) as caught:
        load_settings()
    message = str(caught.value)
    assert "FACIAL_EXPRESSION_WORKERS=none: input should be a valid integer" in message
    assert "FACIAL_EXPRESSION_PORT=70000: input should be less than or equal to 65535" in message


def test_key_may_end_with_a_line_break(variables):
    variables(FACIAL_EXPRESSION_API_KEY="secret\n")
    assert load_settings().api_key == "secret"


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines", "  "])
def test_key_that_cannot_be_sent_is_named_but_not_shown(variables, key):
    variables(FACIAL_EXPRESSION_API_KEY=key)
    with pytest.raises(UserError, match=r"FACIAL_EXPRESSION_API_KEY=…: .*printable characters of ASCII") as caught:
        load_settings()
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ROOT_PATH", "/api", "must not begin with a path of the application's own"),
        ("ROOT_PATH", "/docs/x", "must not begin with a path of the application's own"),
        ("HOST", "", "at least 1 character"),
    ],
)
def test_names_values_that_would_not_work(variables, name, value, message):
    variables(**{f"FACIAL_EXPRESSION_{name}": value})
    with pytest.raises(UserError, match=f"FACIAL_EXPRESSION_{name}={value}: .*{message}"):
        load_settings()


def test_origins_are_written_as_browsers_send_them(variables):
    variables(FACIAL_EXPRESSION_CORS_ORIGINS="https://A.example/")
    assert load_settings().cors_origins == ("https://a.example",)


def test_names_unknown_variables(variables):
    variables(FACIAL_EXPRESSION_MAX_FACE="3", FACIAL_EXPRESSION_XYZ="1")
    with pytest.raises(UserError, match=r"_MAX_FACE: did you mean .*_MAX_FACES\?; unknown variable FACIAL_.*_XYZ$"):
        load_settings()


def write(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(
    ("limit", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 16), ("3200000 100000", 16)]
)
def test_follows_cpu_quota_of_container(tmp_path, limit, cores):
    files = {"proc__self__cgroup": "0::/\n"}
    write(tmp_path, **files)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text(limit + "\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.usefixtures("sixteen_cores")
def test_follows_cpu_quota_of_enclosing_group(tmp_path):
    write(tmp_path, proc__self__cgroup="0::/a/b\n")
    for group, limit in (("", "max 100000"), ("a/", "400000 100000"), ("a/b/", "max 100000")):
        (tmp_path / "sys/fs/cgroup" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / f"sys/fs/cgroup/{group}cpu.max").write_text(limit)
    assert usable_cores(tmp_path) == 4


@pytest.mark.usefixtures("sixteen_cores")
def test_follows_cpu_quota_of_first_version(tmp_path):
    write(tmp_path, proc__self__cgroup="3:cpu,cpuacct:/\n2:memory:/\n")
    (tmp_path / "sys/fs/cgroup/cpu").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text("300000")
    (tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == 3


@pytest.mark.usefixtures("sixteen_cores")
def test_uses_all_cores_without_control_groups(tmp_path):
    assert usable_cores(tmp_path) == 16


def test_number_of_workers_follows_cores():
    assert Settings().workers == usable_cores()
