"""Train the pre-activation network on FER2013's pictures as they are, under one protocol.

    dvc repro train_uncropped@official          (all protocols: dvc repro train_uncropped)

reads   the filtered face table and the one that ``pictures`` names, the blocks ``train_uncropped`` and ``runtime``
        of params.yaml
writes  models/PROTOCOL/uncropped/, reports/PROTOCOL/history_uncropped.csv

It is there for the ensemble: it errs on other faces than the rest. It is not served, since a photo is not cut like a
picture of FER2013. A core without AVX-512 trains 160 to 240 images a second, one with it 350 to 650. README.md shows
the figures to expect. `--time-budget MINUTES` ends training early. An interrupted run goes on from .checkpoints/ when
it is started again.
"""

from facial_expression.networks import preactivation
from stages.training_stage import main

if __name__ == "__main__":
    main("uncropped", preactivation.build)
