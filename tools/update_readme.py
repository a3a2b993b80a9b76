"""Write the figures of README.md and MODEL_CARD.md from the committed metrics and the card of the served network.

make readme
"""

import json
import sys
from pathlib import Path

from facial_expression.emotions import NAMES
from facial_expression.params import REPORTS, load_params
from facial_expression.tables import is_comparable, replace_results, results_markdown, served_markdown


def main() -> None:
    params = load_params()
    classes = [name for name in NAMES if name not in params.evaluate.published.drop]
    if not is_comparable(params.download, classes):
        sys.exit("readme: the table of README.md is about FER2013 without disgust, and params.yaml is about other data")
    results = {report: json.loads(Path("reports", report, "metrics.json").read_text()) for report in REPORTS}
    replace_results("README.md", results_markdown(results))
    replace_results("MODEL_CARD.md", served_markdown(json.loads(Path("models/serving/card.json").read_text())))
    print("README.md and MODEL_CARD.md: figures written")


if __name__ == "__main__":
    main()
