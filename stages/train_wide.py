"""Train the wide network under one protocol.

    dvc repro train_wide@official          (all protocols: dvc repro train_wide)

reads   the filtered face table, the blocks ``train_wide`` and ``runtime`` of params.yaml
writes  models/PROTOCOL/wide/, reports/PROTOCOL/history_wide.csv

4,000 iterations take about 5 minutes on two recent cores (1,300 images/s) and reach 65 % validation accuracy under the
published protocol, 59 % under the official one. An interrupted run goes on from .checkpoints/ when it is started again.
"""

from facial_expression.networks import wide
from stages.training_stage import main

if __name__ == "__main__":
    main("wide", wide.build)
