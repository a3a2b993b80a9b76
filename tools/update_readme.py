"""Write the results table of README.md from the committed metrics.

make readme
"""

import json
import sys
from pathlib import Path

from facial_expression.facetable import read_face_table
from facial_expression.params import load_params
from facial_expression.protocols import PROTOCOLS
from facial_expression.tables import is_comparable, replace_results, results_markdown


def main() -> None:
    if not is_comparable(load_params().download, read_face_table("data/filtered", memory_map=True).classes):
        sys.exit("readme: the table of README.md is about FER2013 without disgust, and params.yaml is about other data")
    results = {protocol: json.loads(Path("reports", protocol, "metrics.json").read_text()) for protocol in PROTOCOLS}
    replace_results("README.md", results_markdown(results))
    print("README.md: results table written")


if __name__ == "__main__":
    main()
