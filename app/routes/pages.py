"""The page, and the documentation of the API: Swagger UI, from a package, and the kinds of problems."""

from html import escape
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles

from ..problems import KINDS

APP = Path(__file__).parents[1]
STATIC, DOCUMENTATION = APP / "static", APP / "documentation"


def make_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    errors = _errors_page()

    @router.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @router.get("/docs")
    async def documentation() -> FileResponse:
        return FileResponse(DOCUMENTATION / "docs.html")

    @router.get("/errors")
    async def kinds_of_problems() -> HTMLResponse:
        return HTMLResponse(errors)

    return router


def mount_files(app: FastAPI) -> None:
    """Serve the files that the pages load."""
    app.mount("/static", StaticFiles(directory=STATIC))
    app.mount("/documentation", StaticFiles(directory=DOCUMENTATION))
    app.mount("/swagger", StaticFiles(directory=_swagger_folder()))


def _swagger_folder() -> Path:
    """Swagger UI's files inside the package ``fastapi_swagger``, whose code is not needed."""
    package = find_spec("fastapi_swagger")
    assert package
    assert package.origin
    return Path(package.origin).with_name("resources")


def _errors_page() -> str:
    kinds = "\n".join(
        f'      <dt id="{kind.name}">{kind.name} <span>{kind.status}</span></dt>\n'
        f"      <dd><strong>{escape(kind.title)}.</strong> {escape(kind.explanation)}</dd>"
        for kind in KINDS
    )
    return (DOCUMENTATION / "errors.html").read_text(encoding="utf-8").replace("{kinds}", kinds)
