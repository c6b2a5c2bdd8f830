"""Serving the page on the loopback address: nobody else reaches it, and it reaches nobody."""

import os
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError

ADDRESS = "127.0.0.1"
HOSTS = [ADDRESS, "localhost"]  # another name in a request would be another site's page that asks through the browser
# What the page may load or call: itself. Gradio's code is served by this program, and wants inline and compiled parts.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; form-action 'self'; frame-ancestors 'none'"
)
INSTALL = "pip install --no-deps -r requirements-app.lock"
MAX_UPLOAD = "4gb"


def prepare_gradio(folder: Path) -> None:
    """Switch off what Gradio would send out and keep uploads in `folder`; call it before Gradio is imported.

    Raises:
        UserError: Gradio is not installed.
    """
    if find_spec("gradio") is None:
        raise UserError(
            f"the page needs Gradio, which is not installed: run '{INSTALL}' in the project's folder (or pip install "
            "'syncvoice[app]'), then the same command again"
        )
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(folder / "uploads"), GRADIO_SHARE="False",
        HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1",
    )  # fmt: skip


def listen(port: int) -> socket.socket:
    """Return a socket on the loopback address; port 0 takes a free one.

    Raises:
        UserError: the port cannot be had.
    """
    try:
        return socket.create_server((ADDRESS, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"port {port} of {ADDRESS} cannot be had ({reason}); name another with --port; 0 takes a free one"
        ) from error


def address_of(server: socket.socket) -> str:
    """Return the address that a browser opens."""
    return f"http://{ADDRESS}:{server.getsockname()[1]}/"


def web_app(page: Any, folder: Path) -> Any:
    """Return the ASGI program that serves a page and the files below `folder`, with the policy in every answer."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    program = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    program.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    program.add_middleware(WithPolicy)
    page.queue(default_concurrency_limit=4)
    return gr.mount_gradio_app(
        program, page, path="/", server_name=ADDRESS, allowed_paths=[str(folder)], footer_links=[], show_error=False,
        max_file_size=MAX_UPLOAD, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
        run_history=False, theme=_theme(gr), css=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
    )  # fmt: skip


def _theme(gr: Any) -> Any:
    """Return a theme with fonts of the system: others would be fetched."""
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    return theme.set(  # explanations as dark as WCAG asks for
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700", block_title_text_color="*neutral_700",
        button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
    )  # fmt: skip


class WithPolicy:
    """ASGI middleware that puts the content security policy on every answer."""

    def __init__(self, app: Callable) -> None:
        """Wrap an ASGI program."""
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """Answer one request."""

        async def marked(message: dict[str, Any]) -> None:
            """Send on, the policy among the headers."""
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), (b"content-security-policy", POLICY.encode())]
                message = {**message, "headers": [*headers, (b"referrer-policy", b"no-referrer")]}
            await send(message)

        await self.app(scope, receive, marked)


def server_of(program: Any) -> Any:
    """Return a server for a program; `run(sockets=[...])` serves until it is told to end."""
    import uvicorn

    return uvicorn.Server(uvicorn.Config(program, log_level="warning", timeout_graceful_shutdown=1))
