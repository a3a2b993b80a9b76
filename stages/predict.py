"""What every snapshot of one family answers for the validation and the test faces of one protocol.

    dvc repro predict@official-resnet          (all protocols and families: dvc repro predict)

reads   data/filtered/, data/aligned/, data/framed/ or data/decoded/, as the model's recipe says,
        models/PROTOCOL/FAMILY/, the protocol's block of ``predict`` in params.yaml
writes  data/predictions/PROTOCOL/FAMILY.npz, which all reports of the protocol share

On one core without AVX-512 the shallow network takes a minute, the others three to seven, for all their snapshots and,
under `official`, mirror images.
"""

import argparse
import sys

from facial_expression import runtime
from facial_expression.inference import predict_snapshots
from facial_expression.params import FAMILIES, load_params
from facial_expression.predictions import SCORED_PARTS, write_predictions
from facial_expression.protocols import PROTOCOLS
from stages.faces import read_faces
from stages.trained import pictures_of


def main() -> None:
    parser = argparse.ArgumentParser(description="Predict with every snapshot of one family")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    arguments = parser.parse_args()
    protocol, family = arguments.protocol, arguments.family
    params = load_params()
    runtime.prepare(params.runtime, seed=0)  # nothing here is random
    model = f"models/{protocol}/{family}"
    table = read_faces(pictures_of(model)).under(protocol)
    parts = {part: table.part(protocol, part) for part in SCORED_PARTS}
    predictions = predict_snapshots(model, parts, getattr(params.predict, protocol).flip)
    write_predictions(f"data/predictions/{protocol}/{family}.npz", predictions)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, FileNotFoundError, ValueError) as error:
        sys.exit(f"predict: {error}")
