"""What is a reference recording worth? Its length, speech, noise, clipping, and whether one person speaks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.dubbing.voice import MAX_SECONDS, read_reference
from syncvoice.errors import UserError

BEST_SECONDS = (3.0, MAX_SECONDS)
# Limits between 26 clean recordings of single speakers (GRID, LJSpeech, LibriSpeech, LibriVox, AISHELL) and the same
# with noise, clipping or a second speaker.
LEAST_VOICED = 0.1  # of the loud frames; speech has 0.35 to 0.8, with noise 5 dB below it 0.17 and more
LEAST_SNR_DB = 17.0  # clean speech has 20 and more, with noise 10 dB below it 13 to 16
MOST_CLIPPED = 0.001  # of the samples, at the very top in runs
LEAST_ALIKE = 0.7  # between the two most unlike parts: one speaker has 0.73 to 0.91, two of 5 s each 0.43 to 0.68
HOP = clocks.SAMPLE_RATE // 100  # 10 ms
LOUD_DB = 25.0  # frames within this of the loudest are speech, if there is any
RUN = 3  # samples in a row at the top: a clipped peak
STRETCH_SECONDS = 1.6  # of one embedding, as GE2E was trained


@dataclass(frozen=True)
class Heard:
    """What a recording is like.

    Attributes:
        seconds: of it, silence at the ends left out.
        voiced: share of its loud frames that have a pitch.
        snr_db: level of the loud frames over that of the quietest tenth.
        clipped: share of samples in runs at the top.
        alike: cosine between its two most unlike parts; None where the recording is too short to tell.
    """

    seconds: float
    voiced: float
    snr_db: float
    clipped: float
    alike: float | None

    def advice(self, path: Path) -> list[str]:
        """Return sentences about what is wrong with a recording and what to do."""
        says = []
        if self.seconds < BEST_SECONDS[0]:
            says.append(f"holds {self.seconds:.1f} s of sound; a voice is known better from 3 to 10 s")
        if self.seconds > BEST_SECONDS[1]:
            says.append(
                f"lasts {self.seconds:.1f} s and only the first {MAX_SECONDS:g} s are used; cut out the best part"
            )
        if self.voiced < LEAST_VOICED:
            says.append(f"has a voice in {self.voiced:.0%} of its loud parts; is it speech? give one person speaking")
        elif self.snr_db < LEAST_SNR_DB:
            says.append(
                f"is noisy (speech is {self.snr_db:.0f} dB above the noise, {LEAST_SNR_DB:g} are enough); record in a "
                "quiet room, close to the mouth, without music"
            )
        if self.clipped > MOST_CLIPPED:
            says.append(f"is clipped ({self.clipped:.1%} of its samples); record it again at a lower level")
        if self.alike is not None and self.alike < LEAST_ALIKE:
            says.append(
                f"may hold several speakers (its parts are {self.alike:.2f} alike by GE2E, those of one person "
                f"{LEAST_ALIKE:g} and more); cut out one person"
            )
        return [f"voice {path} {what}" for what in says]


def check_voice(path: Path) -> list[str]:
    """Return advice about a recording, [] if it is fine.

    Raises:
        UserError: it cannot be used at all, see `read_reference`.
    """
    return heard_of(path).advice(path)


def heard_of(path: Path) -> Heard:
    """Look at a recording.

    Raises:
        UserError: see `read_reference`.
    """
    from syncvoice.video.decode import ClipProblem, read_sound

    used = read_reference(path, cut=True)
    try:
        whole = read_sound(path, None)
    except ClipProblem as problem:
        raise UserError(f"voice {path}: {problem.message}") from problem
    seconds = len(used) / clocks.SAMPLE_RATE
    if seconds >= MAX_SECONDS:
        seconds = max(seconds, len(whole) / clocks.SAMPLE_RATE)
    return Heard(seconds, voiced_share(used), snr_db(used), clipped_share(whole), alikeness(used))


def voiced_share(audio: np.ndarray) -> float:
    """Share of the loud 10 ms frames of (samples,) at 24 kHz that have a pitch."""
    from syncvoice.pitch import level_db, pitch_hz

    level = level_db(audio, clocks.SAMPLE_RATE, HOP)
    loud = level > level.max() - LOUD_DB
    return float(np.isfinite(pitch_hz(audio, clocks.SAMPLE_RATE, HOP)[loud]).mean())


def snr_db(audio: np.ndarray) -> float:
    """Level of the loud frames of (samples,) at 24 kHz over that of the quietest tenth, dB."""
    from syncvoice.pitch import level_db

    level = level_db(audio, clocks.SAMPLE_RATE, HOP)
    return float(np.percentile(level, 90) - np.percentile(level, 10))


def clipped_share(audio: np.ndarray) -> float:
    """Share of (samples,) that lie in runs at the recording's own top or bottom."""
    top = np.abs(audio) >= 0.995 * np.abs(audio).max(initial=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], top, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= RUN].sum() / max(1, len(audio)))


def alikeness(audio: np.ndarray) -> float | None:
    """Cosine of GE2E between the two groups that the stretches of (samples,) at 24 kHz fall into.

    Two groups are found in any recording; of one speaker they are alike. None for less than four stretches.
    """
    from syncvoice.networks.ge2e import Ge2eNetwork, NoVoice, prepare

    try:
        network = Ge2eNetwork.installed()
        sound = prepare(resample(audio, clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE))
    except (UserError, NoVoice):
        return None
    length, step = (round(seconds * clocks.SCORER_SAMPLE_RATE) for seconds in (STRETCH_SECONDS, STRETCH_SECONDS / 2))
    starts = range(0, len(sound) - length + 1, step)
    if len(starts) < 4:
        return None
    return _two_groups(np.stack([network.embed_prepared(sound[start : start + length]) for start in starts]))


def _two_groups(found: np.ndarray) -> float:
    """Cosine between the means of two groups of embeddings (stretches, 256), by 2-means from the least alike pair."""
    first, second = found[list(np.unravel_index(np.argmin(found @ found.T), (len(found),) * 2))]
    for _ in range(10):
        near = found @ first > found @ second
        if near.all() or not near.any():
            break
        first, second = (mean / np.linalg.norm(mean) for mean in (found[near].mean(0), found[~near].mean(0)))
    return float(first @ second)
