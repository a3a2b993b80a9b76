"""A tiny served model, and clients of applications that serve it or a stand-in."""

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from facial_expression.recognizer import Recognizer
from helpers.served_model import StandIn, write_model


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("served") / "serving")


@pytest.fixture(scope="session")
def recognizer(model_directory):
    return Recognizer.load(model_directory)


@pytest.fixture(scope="session")
def client(recognizer):
    """A client of an application with the tiny model and the default settings."""
    with TestClient(create_app(Settings(), recognizer)) as client:
        yield client


@pytest.fixture
def stand_in():
    return StandIn()


@pytest.fixture
def make_app():
    """Creates an application with the given settings and, by default, a stand-in for the recognizer."""
    return lambda recognizer=None, **settings: create_app(Settings(**settings), recognizer or StandIn())
