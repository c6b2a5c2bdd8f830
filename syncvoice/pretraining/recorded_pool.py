"""Recorded clips of MiniDub (`syncvoice.minidub.spoken`) as a pool that start weights learn from."""

from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.clocks import SAMPLE_RATE, samples
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.minidub.speech import Phone
from syncvoice.minidub.spoken import Recording
from syncvoice.pretraining.speech_data import Utterance
from syncvoice.text.tokenizer import EmiliaTokenizer


class RecordedPool:
    """The clips of one recording, with the interface of `speech_data.SpeechPool`."""

    def __init__(self, path: Path | str) -> None:
        """Open a recording.

        Raises:
            UserError: it is missing, or holds voices or sentences that must stay unseen.
        """
        self.path = Path(path)
        self._recording = Recording(self.path)
        self._clips = list(self._recording.columns)
        if self._recording.made_from["sentences"] != "train":
            raise UserError(f"{path} holds sentences that must stay unseen; weights learn from train sentences")
        rows = list(self._recording.columns.values())
        unseen = sorted({row["speaker"] for row in rows if row["voice_seen"] != "yes"})
        if unseen:
            raise UserError(f"{path} holds voices that must stay unseen: {', '.join(unseen)}")
        self.text, self.language, self.source, self.voice = (
            [str(row[name]) for row in rows] for name in ("text", "language", "source", "speaker")
        )
        self._frames = [int(row["n_frames"]) for row in rows]
        self._encoder = EmiliaTokenizer()

    def __len__(self) -> int:
        """Return the number of utterances."""
        return len(self._clips)

    @property
    def n_samples(self) -> np.ndarray:
        """Number of samples of every utterance at 24 kHz, int64 (utterances,)."""
        return np.array([samples(frames) for frames in self._frames], np.int64)

    def audio(self, index: int) -> np.ndarray:
        """Return float32 (samples,) at 24 kHz."""
        return self._recording.speech(self._clips[index]).audio

    def tokens(self, index: int) -> np.ndarray:
        """Return Emilia ids int32 (tokens,)."""
        return np.array(self._encoder.encode(self.text[index], self.language[index]), np.int32)

    def phones(self, index: int) -> tuple[Phone, ...]:
        """Return the phones of an utterance."""
        return self._recording.speech(self._clips[index]).phones

    def __getitem__(self, index: int) -> Utterance:
        """Return one utterance; negative indices count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        speech = self._recording.speech(self._clips[index])
        return Utterance(
            audio=speech.audio,
            tokens=self.tokens(index),
            phones=speech.phones,
            text=self.text[index],
            language=self.language[index],
            source=self.source[index],
            voice=self.voice[index],
            n_frames=speech.n_frames,
        )

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance file says about the data of a run."""
        return {
            "voices": sorted(set(self.voice)),
            "unseen_voices": [],
            "sentence_split": "the train sentences of MiniDub",
            "pool": {
                "recording": self.path.name,
                "utterances": len(self),
                "hours": round(float(self.n_samples.sum()) / SAMPLE_RATE / 3600, 3),
                "sha256": sha256_of(self.path),
            },
        }
