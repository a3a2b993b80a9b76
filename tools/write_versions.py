"""Write versions.yaml from requirements.txt: the versions of the libraries that compute, which stages depend on.

make requirements

They are those for Python 3.11 on Linux, with which the pinned results were made.
"""

from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS, VERSIONS = Path("requirements.txt"), Path("versions.yaml")
MODULES = {
    "cv2": "opencv-python-headless",
    "dlib": "dlib-bin",
    "face_recognition_models": "face-recognition-models",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "pi_heif": "pi-heif",
    "PIL": "pillow",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow-cpu",
    "tf2onnx": "tf2onnx",
}
"""The modules that compute, and the distributions that install them."""

HEADER = """\
# Versions of the libraries that compute, as requirements.txt pins them for Python 3.11 on Linux. Stages depend on the
# keys that they name in dvc.yaml. `make requirements` writes this file.
"""


def main() -> None:
    VERSIONS.write_text(versions_yaml(REQUIREMENTS.read_text()), encoding="utf-8", newline="\n")


def versions_yaml(requirements: str) -> str:
    """The content of versions.yaml: module to version.

    Args:
        requirements: the content of requirements.txt.
    """
    pins = (
        Requirement(line.split("\\")[0]) for line in requirements.splitlines() if "==" in line and line[0].isalnum()
    )
    system = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
    environment = system | {"python_version": "3.11", "python_full_version": "3.11.0"}
    versions = {
        pin.name: next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    return HEADER + "".join(f'{module}: "{versions[name]}"\n' for module, name in MODULES.items())


if __name__ == "__main__":
    main()
