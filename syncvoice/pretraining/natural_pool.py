"""The pool of natural speech that the start weights learn from: shards of a fixed number of utterances.

Utterance `i` depends on (seed, i) alone, so that a pool can be stopped, resumed and extended; a finished shard is never
touched again. Only train sentences, and only voices that weights may hear. A shard is a pool file of
`syncvoice.pretraining.speech_data` with more columns: kind, rate, intensity and the parts of the voice.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of
from syncvoice.minidub import natural_speech, natural_voices, sentences
from syncvoice.minidub.natural_voices import NaturalVoice
from syncvoice.minidub.phrases import Sentence
from syncvoice.pretraining import speech_data
from syncvoice.pretraining.joined_pool import JoinedPool
from syncvoice.pretraining.speech_data import SpeechPool
from syncvoice.seeding import rng
from syncvoice.text.phones import phone_class
from syncvoice.text.tokenizer import EmiliaTokenizer

log = logging.getLogger(__name__)
SHARD_SIZE = 200  # utterances, about nine minutes of speech
# GRID 35 %, open English 40 %, Mandarin 25 %
MIX = {"grid": 0.35, "everyday": 0.2, "unpredictable": 0.15, "phrases": 0.05, "zh": 0.13, "zh_open": 0.12}
BLEND_SHARE = 0.5
INT8 = "int8"  # arithmetic of the published network
# Of utterances by published voices: how often one made for the language of the sentence speaks. The others have an
# accent that a recogniser stumbles over, more so Mandarin voices in English. No training voice was made for another.
HOME_SHARE = {"en": 0.9, "zh": 0.5}


@dataclass(frozen=True)
class PlannedUtterance:
    """What is said, by whom and how."""

    kind: str
    sentence: Sentence
    voice: NaturalVoice
    delivery: natural_speech.NaturalDelivery


def plan(seed: int, index: int, mix: Mapping[str, float] = MIX, blend_share: float = BLEND_SHARE) -> PlannedUtterance:
    """Plan one utterance of a pool.

    Args:
        seed: of the pool.
        index: of the utterance.
        mix: kind of sentence -> share.
        blend_share: share of utterances by blends.
    """
    draw = rng(seed, "natural pool", index)
    shares = np.array(list(mix.values()), float)
    kind = str(draw.choice(list(mix), p=shares / shares.sum()))
    sentence = sentences.draw_sentence(kind, "train", draw)
    group = natural_voices.blends()
    if draw.random() >= blend_share:
        at_home = draw.random() < HOME_SHARE.get(sentence.language, 0.0)
        group = tuple(v for v in natural_voices.TRAIN_VOICES if (v.language == sentence.language) == at_home)
    voice = group[int(draw.integers(len(group)))]
    check_seen(sentence, voice)
    return PlannedUtterance(kind, sentence, voice, natural_speech.random_delivery(draw, sentence))


def check_seen(sentence: Sentence, voice: NaturalVoice) -> None:
    """Refuse what no weight may hear.

    Raises:
        UserError: a test or validation sentence, or a voice kept for tests or validation.
    """
    if sentences.split_of(sentence) != "train":
        raise UserError(f"{sentence.text!r} is a {sentences.split_of(sentence)} sentence and must stay unseen")
    if not natural_voices.is_seen(voice):
        raise UserError(f"voice {voice.name!r} must stay unseen by every weight; take one of TRAIN_VOICES or blends()")


def shard_path(folder: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return folder / f"shard_{shard:04d}.h5"


def build_shard(
    folder: Path, shard: int, seed: int, size: int = SHARD_SIZE, mix: Mapping[str, float] = MIX, arithmetic: str = INT8
) -> Path:
    """Speak one shard and write it; the same arguments give the same sounds.

    Args:
        folder: of the pool.
        shard: number, from 0.
        seed: of the pool.
        size: utterances in a shard; the same for all shards of a pool.
        mix: kind of sentence -> share; the same for all shards of a pool.
        arithmetic: of the network; the same for all shards of a pool.
    """
    natural_speech.compute_in(arithmetic)
    encoder = EmiliaTokenizer()
    planned = [plan(seed, index, mix) for index in range(shard * size, (shard + 1) * size)]
    audio, tokens, phones, lengths, done = [], [], [], [], []
    for item in planned:
        speech, delivery = natural_speech.carry_out(item.sentence, item.voice, item.delivery)
        ids = encoder.encode(item.sentence.text, item.sentence.language)
        audio.append(np.round(speech.audio * 32767.0).astype(np.int16))
        tokens.append(np.array(ids, np.int32))
        phones.append(np.array([(phone_class(p.symbol), p.start_s, p.end_s) for p in speech.phones], np.float64))
        lengths.append((len(audio[-1]), len(ids), len(speech.phones)))
        done.append(delivery)
    chunk = {
        "audio": np.concatenate(audio),
        "tokens": np.concatenate(tokens),
        "phones": np.concatenate(phones),
        "lengths": np.array(lengths, np.int64),
    }
    path = shard_path(folder, shard)
    with atomic_path(path) as temporary:
        speech_data.write(temporary, [(item.sentence, item.voice) for item in planned], [chunk], seed)
        _add_columns(temporary, planned, done, _made_from(seed, size, mix, arithmetic))
    return path


def _add_columns(
    path: Path,
    planned: Sequence[PlannedUtterance],
    deliveries: Sequence[natural_speech.NaturalDelivery],
    made_from: Mapping[str, Any],
) -> None:
    """Add what pool files of espeak voices do not have."""
    import h5py

    text = h5py.string_dtype()
    with h5py.File(path, "r+") as file:
        file.create_dataset("kind", data=[item.kind for item in planned], dtype=text)
        file.create_dataset("voice_parts", data=[json.dumps(item.voice.parts) for item in planned], dtype=text)
        file.create_dataset("intensity", data=[delivery.intensity for delivery in deliveries], dtype=text)
        file["rate"] = np.array([delivery.rate for delivery in deliveries], np.float32)
        file.attrs.update(engine="kokoro", **made_from)


def _made_from(seed: int, size: int, mix: Mapping[str, float], arithmetic: str) -> dict[str, Any]:
    """Return what all shards of a pool share; one of the usual mix and arithmetic does not name them."""
    other = {} if dict(mix) == MIX else {"mix": json.dumps(mix, sort_keys=True)}
    if arithmetic != INT8:
        other["arithmetic"] = arithmetic
    return {"pool_seed": seed, "shard_size": size, **versions(), **other}


def versions() -> dict[str, str]:
    """Return versions of what decides the speech of a pool."""
    return {
        "voices_version": natural_voices.VERSION,
        "sentences_version": sentences.VERSION,
        "speech_version": natural_speech.VERSION,
    }


def build(
    folder: Path,
    seed: int,
    hours: float,
    size: int = SHARD_SIZE,
    mix: Mapping[str, float] = MIX,
    arithmetic: str = INT8,
) -> None:
    """Add shards until the pool holds `hours` of speech; shards that exist are kept.

    Raises:
        UserError: the pool in the folder has another seed, shard size, mix, arithmetic or version; or packages for the
            arithmetic are not installed.
    """
    shard, seconds = 0, 0.0
    while seconds < hours * 3600:
        path = shard_path(folder, shard)
        if not path.is_file():
            build_shard(folder, shard, seed, size, mix, arithmetic)
        seconds += _checked_seconds(path, _made_from(seed, size, mix, arithmetic))
        log.info("%s: %.2f of %.1f hours", path, seconds / 3600, hours)
        shard += 1


def _checked_seconds(path: Path, wanted: Mapping[str, Any]) -> float:
    """Seconds of speech in a shard of the pool that is wanted.

    Raises:
        UserError: it belongs to another pool.
    """
    import h5py

    with h5py.File(path, "r") as file:
        names = {*wanted, "mix", "arithmetic"}.intersection(file.attrs)
        found = {name: file.attrs[name] for name in names}
        if found != wanted:
            raise UserError(f"{path} belongs to another pool: {found}, expected {wanted}; use another folder")
        return float(file["audio_offset"][-1]) / SAMPLE_RATE


class ShardedPool(JoinedPool):
    """All finished shards of a pool as one."""

    def __init__(self, folder: Path | str, hours: float | None = None) -> None:
        """Open the shards in order.

        Args:
            folder: of the pool.
            hours: use no more shards than hold this much speech; None takes all there are.

        Raises:
            UserError: no shard is there, or one cannot be read.
        """
        paths = sorted(Path(folder).glob("shard_*.h5"))
        if not paths:
            raise UserError(f"{folder} holds no shard; make the pool with 'syncvoice speak-pool'")
        self.shards: list[SpeechPool] = []
        seconds = 0.0
        for path in paths:
            if hours is not None and seconds >= hours * 3600:
                break
            self.shards.append(SpeechPool(path))
            seconds += float(self.shards[-1].n_samples.sum()) / SAMPLE_RATE
        super().__init__(self.shards)

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance file says about the data of a run."""
        kept = natural_voices.VALIDATION_VOICES + natural_voices.UNSEEN_VOICES
        return {
            "engine": "kokoro",
            "voices": sorted(set(self.voice)),
            "blends": {voice.name: dict(voice.parts) for voice in natural_voices.blends() if voice.name in self.voice},
            "unseen_voices": sorted(voice.name for voice in kept),
            "sentence_split": sentences.SPLIT_RULE,
            **versions(),
            "pool": {
                "utterances": len(self),
                "hours": round(float(self.n_samples.sum()) / SAMPLE_RATE / 3600, 3),
                "sha256": {pool.path.name: sha256_of(pool.path) for pool in self.shards},
            },
        }
