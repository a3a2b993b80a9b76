"""Write .dvc/plots.html, the page that `dvc plots show` fills: with Vega inside, so that it needs no other host.

    python -m tools.write_plots_page    # needs npm; only to take newer versions

`plots.html_template` in .dvc/config names the page. DVC's own page loads Vega from a content delivery network.
"""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

PAGE = Path(".dvc/plots.html")
VERSIONS = {"vega": "5.33.0", "vega-lite": "5.23.0", "vega-embed": "6.29.0"}
"""What DVC's plots are made for: Vega 5."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
{refresh_tag}
<style>
body { font-family: sans-serif; margin: 1rem; }
img { max-width: 100%; }
</style>
"""
BODY = """\
</head>
<body>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    libraries = "".join(_library(name, version) for name, version in VERSIONS.items())
    PAGE.write_text(TEMPLATE + libraries + BODY, encoding="utf-8", newline="\n")


def _library(name: str, version: str) -> str:
    """A library of the npm registry as a script, under its license."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, f"{name}@{version}"]
        archive = Path(folder, subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
        with tarfile.open(archive) as members:
            license_text, script = (_text(members, file) for file in ("LICENSE", f"build/{name}.min.js"))
    return f"<!-- {name} {version}\n\n{license_text.strip()}\n-->\n<script>\n{script.strip()}\n</script>\n"


def _text(members: tarfile.TarFile, file: str) -> str:
    return io.TextIOWrapper(members.extractfile(f"package/{file}"), encoding="utf-8").read()  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
