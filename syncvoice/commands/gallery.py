"""`syncvoice gallery`: make the page that plays all rows side by side."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the gallery")
    parser.add_argument("--study-root", type=Path, required=True, help="results/{study}")
    parser.add_argument(
        "--references", type=Path, nargs="*", default=[], help="manifests of the reference recordings, to be heard"
    )
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")


def run(args: argparse.Namespace) -> None:
    """Write the page."""
    from syncvoice.files import atomic_path
    from syncvoice.records.clips import clips_of
    from syncvoice.reporting.gallery import build_page
    from syncvoice.reporting.settings import GalleryJob
    from syncvoice.section import read_settings

    references = {clip.id: Path(clip.audio) for path in args.references for clip in clips_of(path)}
    page = build_page(read_settings(args.settings, GalleryJob), args.study_root, references)
    with atomic_path(args.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    logger.info("wrote %s: %.1f MB, %d videos", args.out, len(page) / 1e6, page.count("<video"))
