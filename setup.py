"""Install the served model and the web app, which lie in folders of their own, inside the package."""

from setuptools import find_packages, setup

INSIDE = {
    "facial_expression.app": "app",
    "facial_expression.app.routes": "app/routes",
    "facial_expression.model": "models/serving",
}

setup(packages=[*find_packages(include=["facial_expression*"]), *INSIDE], package_dir=INSIDE)
