"""Train the shallow network under one protocol.

    dvc repro train_shallow@official          (all protocols: dvc repro train_shallow)

reads   the filtered face table, the blocks ``train_shallow`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/shallow/, reports/PROTOCOL/history_shallow.csv

10,000 iterations take about 6 minutes on two recent cores (2,900 images/s) and end near 62 % validation accuracy under
the published protocol. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import shallow
from stages.training_stage import main

if __name__ == "__main__":
    main("shallow", shallow.build)
