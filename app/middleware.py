"""Middleware: the prefix of paths, security headers, HEAD requests and request counting."""

from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .monitoring import Monitoring

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_FILES = ("/static/", "/swagger/", "/documentation/")


class Prefix:
    """Accepts the prefix under which a proxy has the application, whether the proxy removes it from paths or not."""

    def __init__(self, app: ASGIApp, root_path: str):
        self._app, self._root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            removed = not f"{scope['path']}/".startswith(f"{self._root_path}/")
            path = self._root_path + scope["path"] if removed else scope["path"]
            scope = {**scope, "root_path": self._root_path, "path": path}
        await self._app(scope, receive, send)


class Headers:
    """Adds the security headers to every response, and forbids caching of all but static files."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_static = _path(scope).startswith(_FILES)  # now, because the routes of files change the scope

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-cache" if is_static else "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class HeadRequests:
    """Answers HEAD wherever GET works: with the same status and headers, and without a body."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, send_without_body)
        else:
            await self._app(scope, receive, send)


class Counting:
    """Counts the responses to some paths by status."""

    def __init__(self, app: ASGIApp, paths: Collection[str], monitoring: Monitoring):
        self._app, self._paths, self._monitoring = app, paths, monitoring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._monitoring.count_request(message["status"])
            await send(message)

        if scope["type"] != "http" or _path(scope) not in self._paths:
            return await self._app(scope, receive, send)
        try:
            await self._app(scope, receive, send_and_count)
        except Exception:
            self._monitoring.count_request(500)  # the response is made by an outer layer
            raise


def _path(scope: Scope) -> str:
    """The path without the prefix under which a proxy has the application."""
    return scope.get("path", "").removeprefix(scope.get("root_path", ""))
