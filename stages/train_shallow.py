"""Train the shallow network of one run.

    dvc repro train_shallow@study-shallow        (all runs: dvc repro train_shallow)
    python -m stages.train_shallow study-shallow

reads   data/filtered/ and the faces that the run's `input` names; `runs.shallow`, its recipe and `runtime` in
        params.yaml
writes  models/PROTOCOL/RUN/, reports/history/PROTOCOL/RUN.csv, reports/validation/RUN.json

A core with AVX-512 trains about 2,500 images a second, one without 1,100: 7 or 15 minutes for the 10,000 iterations
of `study-shallow`. Expect about 63.8% test accuracy (study 62%). An interrupted training resumes from
.checkpoints/. `--time-budget MINUTES` ends training early.
"""

from stages._stage import run_stage
from stages._training import train_stage

if __name__ == "__main__":
    run_stage(lambda: train_stage("shallow"))
