"""Train the residual network, or any other network, of one run.

    dvc repro train_resnet@small                 (all runs: dvc repro train_resnet)
    python -m stages.train_resnet small

reads   data/filtered/ and the faces that the run's `input` names; `runs.resnet`, its recipe and `runtime` in
        params.yaml
writes  models/PROTOCOL/RUN/, reports/history/PROTOCOL/RUN.csv, reports/validation/RUN.json

A core with AVX-512 trains about 620 images a second of the small network, an hour for the 20,000 iterations of `small`,
and about 110 of ResNet-34, three and a half hours for the 14,000 of `study-resnet34`, or 50 without the pooling in its
stem; a core without AVX-512 half as many or fewer. Expect about 70.7% test accuracy of `small` and 62.9% of
`study-resnet34`. An interrupted training resumes from .checkpoints/. `--time-budget MINUTES` ends
training early.
"""

from stages._stage import run_stage
from stages._training import train_stage

if __name__ == "__main__":
    run_stage(lambda: train_stage("resnet"))
