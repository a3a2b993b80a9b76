"""Training on several devices, here parts of the CPU."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from helpers.networks import this_runtime
from helpers.project import ROOT

SCRIPT = """
import json, sys
from facial_expression.params import Runtime
from facial_expression.training import runtime
given = Runtime(**json.loads(sys.argv[1]))
runtime.configure(given, 1)
import numpy as np
from facial_expression.data.face_table import LabeledImages
from facial_expression.networks import build_network
from facial_expression.params import Augmentation, Recipe
from facial_expression.training import checkpoint, loop
from facial_expression.training.loop import train

if sys.argv[3:] == ["interrupted"]:
    checkpoint.CHECKPOINT_SECONDS = -1
    validate = loop._Run.on_epoch_end

    def on_epoch_end(run, epoch, logs):
        validate(run, epoch, logs)
        sys.exit(f"interrupted in epoch {epoch}")

    loop._Run.on_epoch_end = on_epoch_end

random = np.random.default_rng(0)
labels = random.integers(0, 3, 90)
images = random.integers(0, 100, (90, 24, 24)) + 50 * labels[:, None, None]
faces = LabeledImages(images.astype(np.uint8), labels, np.arange(90))
recipe = Recipe(
    iterations=12, snapshot_every=4, validate_every=4, batch_size=20, optimizer="sgd", schedule="cosine",
    learning_rate=0.01, weight_decay=1e-3, moving_average=0.9, label_smoothing=0.1, augmentation=Augmentation(shift=2),
)
with runtime.distribute(given):
    network = build_network("shallow", 3, 24)
    history = train(network, recipe, ("angry", "happy", "sad"), faces, faces, sys.argv[2], sys.argv[2] + "-workspace")
history.to_csv(sys.argv[2] + ".csv", index=False)
"""


def train(directory, devices, name="model", *words):
    given = json.dumps(this_runtime(threads=1, devices=devices).model_dump())
    command = [sys.executable, "-c", SCRIPT, given, name, *words]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """The histories on one and on two devices, and the directory of the latter."""
    found = []
    for devices in (1, 2):
        directory = tmp_path_factory.mktemp(f"devices-{devices}")
        ended = train(directory, devices)
        assert ended.returncode == 0, ended.stderr
        found.append(pd.read_csv(directory / "model.csv"))
    return *found, directory


def test_two_devices_give_the_same_curve(histories):
    one, two, _ = histories
    assert len(one) == 3
    np.testing.assert_allclose(two, one, rtol=1e-4)
    assert one["loss"].iloc[-1] < one["loss"].iloc[0]


def test_two_devices_repeat_and_resume_with_the_same_bytes(histories):
    *_, directory = histories
    whole = (directory / "model" / "000012.weights.h5").read_bytes()
    assert train(directory, 2, "resumed", "interrupted").stderr.endswith("interrupted in epoch 0\n")
    assert "resuming after iteration 4" in train(directory, 2, "resumed").stdout
    assert (directory / "resumed" / "000012.weights.h5").read_bytes() == whole


def test_other_backends_are_refused():
    from facial_expression.errors import UserError
    from facial_expression.training.runtime import distribute

    with (
        pytest.raises(UserError, match=r"runtime\.devices is 2, which needs the backend tensorflow"),
        distribute(this_runtime(devices=2).model_copy(update={"backend": "torch"})),
    ):
        pass
