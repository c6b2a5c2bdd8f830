"""`syncvoice app`: a page in the browser that dubs one clip, on this machine alone."""

import argparse
import contextlib
import signal
import sys
import tempfile
import webbrowser
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = "The page is for this machine alone (loopback address) and loads nothing from elsewhere."
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one (default: 7860)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(args: argparse.Namespace) -> None:
    """Serve the page until Ctrl+C; uploads and results are removed then.

    Raises:
        UserError: Gradio is not installed, or the port is taken.
    """
    from syncvoice.app.serving import address_of, listen, prepare_gradio, server_of, web_app

    with tempfile.TemporaryDirectory(prefix="syncvoice_app_") as name:
        folder = Path(name)
        prepare_gradio(folder)
        with listen(args.port) as server:
            from syncvoice.app.page import build_page
            from syncvoice.app.work import Workshop
            from syncvoice.commands.app_findings import draw, judge

            program = web_app(build_page(Workshop(folder, draw, judge)), folder)
            sys.stdout.write(f"The page is at {address_of(server)} (Ctrl+C ends it)\n")
            sys.stdout.flush()
            if args.open:
                webbrowser.open(address_of(server))
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # else the folder would stay
            with contextlib.suppress(KeyboardInterrupt):
                server_of(program).run(sockets=[server])
    sys.stdout.write("The page is closed; uploads and results are removed.\n")
