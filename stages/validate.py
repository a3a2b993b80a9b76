"""Sum up the trainings of one protocol by their validation faces, for comparing recipes before any test face is read.

    dvc repro validate@official          (both protocols: dvc repro validate)

reads   reports/PROTOCOL/history_*.csv
writes  reports/PROTOCOL/validation.json

Takes a second. It is the target of a search: `dvc exp run --queue -S train_shallow.official.learning_rate=0.002
validate@official` trains the shallow network anew, and `dvc exp show` compares.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from facial_expression.atomic import replacing
from facial_expression.histories import best_validation
from facial_expression.params import FAMILIES
from facial_expression.protocols import PROTOCOLS


def main() -> None:
    parser = argparse.ArgumentParser(description="Sum up the trainings of one protocol")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    directory = Path("reports", parser.parse_args().protocol)
    summary = {family: best_validation(pd.read_csv(directory / f"history_{family}.csv")) for family in FAMILIES}
    with replacing(directory / "validation.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2) + "\n")
    for family, best in summary.items():
        print(f"{family}: {best['validation_accuracy']:.1%} after {best['iteration']:,} of {best['iterations']:,}")


if __name__ == "__main__":
    try:
        main()
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"validate: {error}")
