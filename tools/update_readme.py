"""Write the figures of README.md, docs/results.md and MODEL_CARD.md from the committed metrics and the served card.

make readme
"""

import sys
from pathlib import Path

from facial_expression.errors import UserError
from facial_expression.evaluation.tables import (
    is_comparable,
    replace_block,
    results_markdown,
    served_markdown,
    summary_markdown,
)
from facial_expression.files import read_json
from facial_expression.params import Params, load_params

RATES = Path("benchmarks/training_rates.json")
STUDY, OFFICIAL = "study-6", "official-6"


def main() -> None:
    params = load_params()
    reports = {name: read_json(f"reports/{name}/models.json", f"dvc repro evaluate@{name}") for name in params.evaluate}
    classes = list(next(iter(reports[STUDY].values()))["recall"])
    if not is_comparable(params.download, classes):
        raise UserError("the tables are about FER2013 without disgust, and params.yaml is about other data")
    card = read_json("models/serving/card.json", "git checkout models/serving")
    summary = summary_markdown(reports[STUDY], reports[OFFICIAL], core_minutes(params))
    replace_block("README.md", "results", summary)
    replace_block("docs/results.md", "full-results", results_markdown(reports))
    replace_block("MODEL_CARD.md", "results", served_markdown(card))
    print("README.md, docs/results.md and MODEL_CARD.md: figures written")


def core_minutes(params: Params) -> dict[str, float]:
    """Run -> minutes of one core that its training takes, at the rate that the benchmark measured."""
    rates = read_json(RATES, "python -m benchmarks.training --save")
    return {
        name: run.recipe.iterations * run.recipe.batch_size / rates[name] / 60
        for name, run in params.all_runs.items()
        if name in rates
    }


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"readme: {error}")
