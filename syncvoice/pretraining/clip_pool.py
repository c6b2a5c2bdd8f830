"""Prepared clips in the place of the synthetic pool: what shipped networks learn on when a study adapts them.

Phone times, which the recogniser learns from, are those of the clips where they are known. Elsewhere they come from
forced alignment by the recogniser that the run starts from, each phone kept inside its word where word times are known
(GRID's `.align` files).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.audio import read_wav, resample
from syncvoice.clocks import FPS, SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.minidub.speech import Phone
from syncvoice.records.clips import Clip, clips_of
from syncvoice.text.alignment import SILENCE, align_clip


class ClipPool:
    """Sounds, texts and phone times of prepared clips; the sounds stay in memory."""

    def __init__(self, manifests: Sequence[Path], aligner: Any = None) -> None:
        """Read all clips.

        Args:
            manifests: of the training split.
            aligner: recogniser (`syncvoice.networks.recogniser.CtcRecogniser`) for phone times that nobody knows.

        Raises:
            UserError: a manifest cannot be read, or holds no clip.
        """
        self.manifests = [Path(path) for path in manifests]
        self.clips: list[Clip] = [clip for path in self.manifests for clip in clips_of(path)]
        if not self.clips:
            raise UserError(f"no clip in {', '.join(map(str, manifests))}; see the excluded.csv beside it")
        self.text = [clip.text for clip in self.clips]
        self.language = [clip.language for clip in self.clips]
        self._audio = [read_wav(clip.audio, SAMPLE_RATE)[0] for clip in self.clips]
        self._aligner = aligner
        self._phones: dict[int, tuple[Phone, ...]] = {}

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def audio(self, index: int) -> np.ndarray:
        """Return float32 (samples,) at 24 kHz."""
        return self._audio[index]

    def phones(self, index: int) -> tuple[Phone, ...]:
        """Return the phones of a clip with their times, silences between them included.

        Raises:
            UserError: they are not known, and there is no aligner or the script does not fit the sound.
        """
        if index not in self._phones:
            self._phones[index] = self._find_phones(index)
        return self._phones[index]

    def _find_phones(self, index: int) -> tuple[Phone, ...]:
        clip = self.clips[index]
        if clip.phones:
            return with_silences(clip.phones, clip.n_frames / FPS)
        if self._aligner is None:
            raise UserError(f"clip '{clip.id}' has no phone times, and there are no start weights to align it with")
        sound = resample(self._audio[index], SAMPLE_RATE, SCORER_SAMPLE_RATE)
        try:
            aligned = align_clip(self._aligner, sound, clip)
        except ValueError as error:
            raise UserError(f"clip '{clip.id}' cannot be aligned to its text {clip.text!r}: {error}") from error
        return with_silences([(p.symbol, p.start_s, p.end_s) for p in aligned], clip.n_frames / FPS)

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance file says about the data of a run: every clip by name."""
        return {
            "train_clips": len(self.clips),
            "train_clip_ids": sorted(clip.id for clip in self.clips),
            "train_speakers": sorted({clip.speaker for clip in self.clips}),
            "train_manifests": {str(path): sha256_of(path) for path in self.manifests},
            "hours": round(sum(map(len, self._audio)) / SAMPLE_RATE / 3600, 3),
        }


def with_silences(phones: Sequence[tuple[str, float, float]], seconds: float) -> tuple[Phone, ...]:
    """Return phones (symbol, start_s, end_s) as a contiguous series from 0 to `seconds`, gaps as silence."""
    series: list[Phone] = []
    last = 0.0
    for symbol, start, end in phones:
        if start > last:
            series.append(Phone(SILENCE, last, start))
        series.append(Phone(symbol, start, end))
        last = end
    if seconds > last:
        series.append(Phone(SILENCE, last, seconds))
    return tuple(series)
