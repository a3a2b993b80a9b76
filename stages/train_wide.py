"""Train the wide network of one run.

    dvc repro train_wide@study-wide              (all runs: dvc repro train_wide)
    python -m stages.train_wide study-wide

reads   data/filtered/ and the faces that the run's `input` names; `runs.wide`, its recipe and `runtime` in
        params.yaml
writes  models/PROTOCOL/RUN/, reports/history/PROTOCOL/RUN.csv, reports/validation/RUN.json

A core with AVX-512 trains about 750 images a second, one without 300: 22 or 55 minutes for the 10,000 iterations of
`study-wide`. Expect about 65.9% test accuracy (study 63.6%). An interrupted training resumes from .checkpoints/.
`--time-budget MINUTES` ends training early.
"""

from stages._stage import run_stage
from stages._training import train_stage

if __name__ == "__main__":
    run_stage(lambda: train_stage("wide"))
