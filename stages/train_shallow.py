"""Train the shallow network under one protocol.

    dvc repro train_shallow@official          (all protocols: dvc repro train_shallow)

reads   the filtered face table, the blocks ``train_shallow`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/shallow/, reports/PROTOCOL/history_shallow.csv

10,000 iterations take about 5 minutes on two recent cores (3,000 to 4,000 images/s). After 3,000, validation
accuracy swings between 60 and 64 % under the published protocol and between 55 and 58 % under the official one. An
interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import shallow
from stages.training_stage import main

if __name__ == "__main__":
    main("shallow", shallow.build)
