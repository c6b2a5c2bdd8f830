"""The recording through mel and vocoder: the ceiling of any model that makes mel features."""

from pathlib import Path

from syncvoice.generation.work import Row, Work
from syncvoice.section import Name, Section

NEEDS_RECIPE = False
USES_CARD = False  # the vocoder is fast enough on a CPU
CLIP_FEATURES: tuple[str, ...] = ("mel",)
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(Section):
    """The vocoder decides."""

    experiment: Name
    vocoder: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Vocode the mel features of every utterance's clip.

    Raises:
        UserError: the vocoder or the features are missing.
    """
    import torch

    from syncvoice.features.cache import open_features
    from syncvoice.generation.vocode import decode
    from syncvoice.model.vocoder import Vocoder
    from syncvoice.records.clips import clips_of

    vocoder = Vocoder.load(Path(settings.vocoder)).eval()
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    mels = open_features(work.features_root / work.utterances[0].split, ["mel"])["mel"]
    return [
        work.made.get((row.utterance, ""))
        or work.keep(row.utterance, "", decode(vocoder, torch.from_numpy(mels[row.clip]), clips[row.clip].n_frames))
        for row in work.utterances
    ]
