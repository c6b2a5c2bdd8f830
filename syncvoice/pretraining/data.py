"""Sounds of the pre-training runs: the pool of synthetic speech, and unseen utterances for their checks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.audio import resample
from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.minidub import natural_speech, natural_voices, phrases, voices
from syncvoice.minidub.sentences import draw_sentence
from syncvoice.minidub.speech import Phone, random_delivery, synthesise
from syncvoice.minidub.voices import Voice
from syncvoice.pretraining.clip_pool import ClipPool
from syncvoice.pretraining.joined_pool import AnyPool, JoinedPool
from syncvoice.pretraining.natural_pool import ShardedPool
from syncvoice.pretraining.recorded_pool import RecordedPool
from syncvoice.pretraining.settings import SpeechSource
from syncvoice.pretraining.speech_data import SpeechPool, build
from syncvoice.seeding import rng
from syncvoice.text.phones import phone_class

PHONE_FPS = 100.0  # frames per second of the phone labels
POOL_SEED = 2
CHECK_KINDS = (("en", "grid"), ("en", "phrases"), ("zh", "phrases"))


@dataclass(frozen=True)
class CheckUtterance:
    """A test sentence spoken by a voice that no weight heard; audio (samples,) at 24 kHz."""

    audio: np.ndarray
    text: str
    language: str
    source: str
    voice: str
    phones: tuple[Phone, ...]


def is_natural(settings: SpeechSource) -> bool:
    """Whether a run learns on natural voices: its "pool" is a folder of shards (`syncvoice speak-pool`)."""
    return settings.pool is not None and Path(settings.pool).is_dir()


def open_pool(settings: SpeechSource, pool_voices: Sequence[Voice] = voices.PRETRAIN_VOICES) -> AnyPool:
    """Open the pool of the settings, building it first when the file is absent.

    Args:
        settings: of the run.
        pool_voices: voices of a pool that has to be built.
    """
    if not is_natural(settings):
        return _espeak_pool(settings.place, settings, pool_voices)
    pools: list[AnyPool] = [ShardedPool(settings.place, settings.pool_hours)]
    pools += [*map(ShardedPool, settings.more_pools), *map(RecordedPool, settings.recordings)]
    if settings.espeak_pool is not None:
        pools.append(_espeak_pool(Path(settings.espeak_pool), settings, pool_voices))
    return pools[0] if len(pools) == 1 else JoinedPool(pools)


def _espeak_pool(path: Path, settings: SpeechSource, pool_voices: Sequence[Voice]) -> SpeechPool:
    """Open a pool of espeak voices, building it first when the file is absent."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        build(path, settings.pool_size, settings.pool_seed, pool_voices)
    return SpeechPool(path)


def sounds_of(settings: SpeechSource, aligner: Any = None) -> AnyPool | ClipPool:
    """Sounds to learn on: the prepared clips that the settings name ("manifests"), else the synthetic pool.

    Args:
        settings: of the run.
        aligner: recogniser for phone times of prepared clips (see `ClipPool`).
    """
    if settings.manifests is not None:
        return ClipPool([Path(path) for path in settings.manifests["train"]], aligner)
    return open_pool(settings)


def unseen_utterances(settings: SpeechSource, per_kind: int) -> Iterator[CheckUtterance]:
    """Speak test sentences with the voices that no weight hears, of the engine that the run learns from.

    Args:
        settings: of the run.
        per_kind: sentences of each voice and kind (GRID, open English, Mandarin).
    """
    make = _natural_utterances if is_natural(settings) else _espeak_utterances
    yield from make(per_kind, settings.seed)


def _natural_utterances(per_kind: int, seed: int) -> Iterator[CheckUtterance]:
    """English voices say GRID and everyday sentences, all voices Mandarin phrases."""
    for voice in natural_voices.UNSEEN_VOICES:
        for kind in ("grid", "everyday", "zh") if voice.language == "en" else ("zh",):
            for index in range(per_kind):
                draw = rng(seed, "natural check", voice.name, kind, index)
                sentence = draw_sentence(kind, "test", draw)
                speech = natural_speech.synthesise(sentence, voice, natural_speech.random_delivery(draw, sentence))
                yield CheckUtterance(
                    speech.audio, sentence.text, sentence.language, sentence.source, voice.name, speech.phones
                )


def _espeak_utterances(per_kind: int, seed: int) -> Iterator[CheckUtterance]:
    unseen = voices.UNSEEN_VOICES
    for voice in unseen:
        for language, source in CHECK_KINDS:
            sentences = phrases.sample_sentences(language, source, "test", per_kind * len(unseen), seed)
            own = sentences[unseen.index(voice) :: len(unseen)]
            for index, sentence in enumerate(own):
                delivery = random_delivery(rng(seed, "check", voice.name, sentence.sentence_id, index), sentence)
                speech = synthesise(sentence, voice, delivery)
                yield CheckUtterance(speech.audio, sentence.text, language, source, voice.name, speech.phones)


def at_16k(audio: np.ndarray, speed: float = 1.0) -> np.ndarray:
    """Resample 24 kHz sound to 16 kHz; `speed` above 1 makes it shorter and higher (a multiple of 0.05)."""
    return resample(audio, round(SAMPLE_RATE * speed), SCORER_SAMPLE_RATE)


def phone_labels(phones: tuple[Phone, ...], n_frames: int, speed: float = 1.0) -> np.ndarray:
    """Return the phone class at the centre of each frame of 10 ms, int64 (n_frames,); silence after the end."""
    times = (np.arange(n_frames) + 0.5) / PHONE_FPS * speed
    classes = np.array([phone_class(phone.symbol) for phone in phones] + [0])
    return classes[np.searchsorted([phone.end_s for phone in phones], times, side="right")]
