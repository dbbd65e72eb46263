"""The app in a browser on this machine: textual-serve, kept to 127.0.0.1."""

from __future__ import annotations

import re
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from qdbg.errors import QdbgError
from qdbg.headless.options import PORTS

HOST = "127.0.0.1"
"""The only address: whoever reaches the page runs qdbg as this user, without a password."""


ELSEWHERE = re.compile(rf"<link\b[^>]*https?://(?!{re.escape(HOST)}[:/])[^>]*>")
"""What the page of textual-serve loads from another machine: its font; its own files are named
in full as well."""
FONT = """<style>@font-face {{ font-family: "Roboto Mono"; src: url("{address}"); }}</style>"""
"""The same font, which textual-serve also brings with it."""
FONT_FILE = "/static/fonts/RobotoMono-VariableFont_wght.ttf"


class ServeError(QdbgError):
    """The app cannot be served."""


def serve(words: list[str], port: int) -> None:
    """Serve `qdbg WORDS` until ctrl+c, one process for each visitor. Raises ServeError."""
    try:
        from aiohttp import web  # noqa: PLC0415 - of the extra
        from textual_serve.server import Server  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise ServeError(
            "--serve needs the package textual-serve, which is not installed",
            remedy="pip install 'qdbg[serve]'",
        ) from error
    _check_free(port)

    @web.middleware
    async def own_pages_only(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse what another site's page sends: browsers let it open a websocket to here."""
        names = {f"{HOST}:{port}", f"localhost:{port}"}
        origin = request.headers.get("Origin")
        foreign = origin is not None and origin not in {f"http://{name}" for name in names}
        if foreign or request.headers.get("Host") not in names:
            raise web.HTTPForbidden(text="qdbg answers its own page only")
        return await handler(request)

    class OwnServer(Server):
        """The server with its doors closed."""

        async def handle_index(self, request: web.Request) -> web.Response:
            """The page, which asks no other machine for anything."""
            page = cast("web.Response", await super().handle_index(request))
            page.text = ELSEWHERE.sub(FONT.format(address=FONT_FILE), page.text or "")
            page.headers["Content-Security-Policy"] = _policy(port)
            return page

        async def _make_app(self) -> web.Application:
            app = await super()._make_app()
            app.middlewares.append(own_pages_only)
            return app

        async def on_startup(self, app: web.Application) -> None:
            """Say nothing yet: the port is not open."""

        def serve(self, debug: bool = False) -> None:
            """Serve until ctrl+c, with no other words than where."""
            del debug
            web.run_app(self._make_app(), host=HOST, port=port, print=lambda _: _say(port))

    command = shlex.join([sys.executable, "-P", "-m", "qdbg", *words])
    OwnServer(command, host=HOST, port=port, title="qdbg").serve()


def _policy(port: int) -> str:
    """What a browser lets the page load: only from here, whatever the page says."""
    names = f"{HOST}:{port} localhost:{port}"
    return (
        f"default-src {names} data:; connect-src {names} ws://{HOST}:{port}; "
        f"script-src {names} 'unsafe-inline'; style-src {names} 'unsafe-inline'"
    )


def _say(port: int) -> None:
    sys.stdout.write(f"qdbg is at http://{HOST}:{port} on this machine; ctrl+c ends it\n")
    sys.stdout.flush()


def _check_free(port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise ServeError(
                f"port {port} cannot be used: {error}", expected=f"a free port, {PORTS}"
            ) from error
