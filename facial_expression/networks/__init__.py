"""Network architectures: each module is one, with a ``TITLE`` and a function ``build(classes, size, **arguments)``.

Every network takes gray levels 0 to 255, shape (N, size, size, 1), scales them to [0, 1] itself, so that scaling cannot
differ between training and serving, and returns probabilities, shape (N, classes).
"""

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model

_HELPERS = ("__init__", "plain")


def available() -> list[str]:
    """Names of the modules, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _HELPERS)


def arguments_of(module: str) -> list[str]:
    """Names of the keyword-only arguments of a module's ``build``, read without importing Keras."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    builds = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    return [argument.arg for argument in next(builds).args.kwonlyargs]


def title_of(network: "Model", module: str) -> str:
    """A network in words, such as "a residual network of 1.2 million parameters"."""
    title = importlib.import_module(f"{__name__}.{module}").TITLE
    return f"{title} of {network.count_params() / 1e6:.1f} million parameters"


def build_network(module: str, classes: int, size: int, **arguments: Any) -> "Model":
    """Build the network of a module, with weights from Keras's global seed."""
    return importlib.import_module(f"{__name__}.{module}").build(classes, size, **arguments)
