"""`syncvoice treat-references`: copies of reference recordings that are shorter, longer, noisy or of somebody else."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file: what is done to the recordings")
    parser.add_argument("--source", type=Path, required=True, help="manifest of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for audio/ and tracks.h5")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest to write (.cuts.jsonl.gz)")
    parser.add_argument("--excluded", type=Path, required=True, help="list of recordings that could not be treated")


def run(args: argparse.Namespace) -> None:
    """Treat all recordings of a manifest.

    Raises:
        UserError: the settings or the manifest are wrong.
    """
    from syncvoice import clocks
    from syncvoice.audio import write_wav
    from syncvoice.datasets.treated_references import ReferenceTreatmentJob, treat
    from syncvoice.errors import UserError
    from syncvoice.files import atomic_path, sha256_of
    from syncvoice.records.clips import Excluded, clips_of, write_excluded, write_manifest
    from syncvoice.section import read_settings
    from syncvoice.video.store import TrackWriter

    job, clips = read_settings(args.settings, ReferenceTreatmentJob), clips_of(args.source)
    (args.out / "audio").mkdir(parents=True, exist_ok=True)
    kept, excluded = [], []
    for clip in clips:
        try:
            found = treat(clip, clips, job)
        except UserError as error:
            excluded.append(Excluded(clip.id, clip.audio.name, "no_recording", str(error)))
            continue
        wav = args.out / "audio" / f"{clip.id}.wav"
        write_wav(wav, found.sound, clocks.SAMPLE_RATE)
        kept.append(
            replace(
                clip, split=job.name, text=found.text, language=found.language, audio=wav, audio_sha256=sha256_of(wav),
                n_frames=len(found.sound) // clocks.samples(1), phones=(), words=(), translation_text="",
                translation_audio=None, video=None, track=None, track_sha256="",
            )
        )  # fmt: skip
    with atomic_path(args.out / "tracks.h5") as temporary, TrackWriter(temporary):
        pass  # nobody is seen
    write_manifest(args.manifest, kept)
    write_excluded(args.excluded, excluded)
    log.info("%s: %d recordings treated, %d excluded", args.manifest, len(kept), len(excluded))
