"""Write the results table of README.md from the committed metrics.

make readme
"""

import json
from pathlib import Path

from facial_expression.protocols import PROTOCOLS
from facial_expression.tables import replace_results, results_markdown


def main() -> None:
    results = {protocol: json.loads(Path("reports", protocol, "metrics.json").read_text()) for protocol in PROTOCOLS}
    replace_results("README.md", results_markdown(results))
    print("README.md: results table written")


if __name__ == "__main__":
    main()
