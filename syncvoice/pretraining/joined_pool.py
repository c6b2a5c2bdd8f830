"""Several pools of speech as one: the shards of natural speech, or natural and espeak voices together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from syncvoice.pretraining import speech_data
from syncvoice.pretraining.recorded_pool import RecordedPool
from syncvoice.pretraining.speech_data import SpeechPool, Utterance


class JoinedPool:
    """All utterances of some pools, in order, with the interface of `SpeechPool`."""

    def __init__(self, pools: "Sequence[AnyPool]") -> None:
        """Join pools; there is at least one."""
        self.pools = list(pools)
        self._first = np.cumsum([0, *map(len, self.pools)])
        self.text, self.language, self.source, self.voice = (
            [value for pool in self.pools for value in getattr(pool, name)]
            for name in ("text", "language", "source", "voice")
        )

    def __len__(self) -> int:
        """Return the number of utterances."""
        return int(self._first[-1])

    @property
    def n_samples(self) -> np.ndarray:
        """Number of samples of every utterance at 24 kHz, int64 (utterances,)."""
        return np.concatenate([pool.n_samples for pool in self.pools])

    def _place(self, index: int) -> "tuple[AnyPool, int]":
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._first, index, side="right")) - 1
        return self.pools[number], index - int(self._first[number])

    def audio(self, index: int) -> np.ndarray:
        """Return float32 (samples,) at 24 kHz."""
        pool, place = self._place(index)
        return pool.audio(place)

    def tokens(self, index: int) -> np.ndarray:
        """Return Emilia ids int32 (tokens,)."""
        pool, place = self._place(index)
        return pool.tokens(place)

    def phones(self, index: int) -> tuple[speech_data.Phone, ...]:
        """Return the phones of an utterance."""
        pool, place = self._place(index)
        return pool.phones(place)

    def __getitem__(self, index: int) -> Utterance:
        """Return one utterance; negative indices count from the end."""
        pool, place = self._place(index + len(self) if index < 0 else index)
        return pool[place]

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance file says about the data of a run: of every pool, and all voices."""
        parts = [pool.provenance() for pool in self.pools]
        return {
            "voices": sorted({voice for part in parts for voice in part["voices"]}),
            "unseen_voices": sorted({voice for part in parts for voice in part["unseen_voices"]}),
            "sentence_split": " / ".join(dict.fromkeys(part["sentence_split"] for part in parts)),
            "pools": parts,
        }


AnyPool = SpeechPool | RecordedPool | JoinedPool
