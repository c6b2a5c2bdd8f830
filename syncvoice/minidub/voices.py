"""Voices of MiniDub: variants of espeak-ng, and who may hear which.

Study voices were chosen by the word error rate of PocketSphinx with the GRID grammar (see `STUDY_WER`) and by being
different in pitch and formants. Variants whose sound is not reproducible from call to call (Reed, caleb) are left out,
and so are several that are hardly intelligible or the twin of another. Pitch offsets tell apart variants that share
their formants.
"""

from dataclasses import dataclass

VERSION = "1"

# WER of PocketSphinx with the GRID grammar on 12 test sentences, plain delivery (random delivery: 0.00-0.17)
STUDY_WER = {
    **{"f1": 0.01, "f2": 0.01, "f4": 0.06, "aunty": 0.06, "m1": 0.04, "klatt4": 0.01, "gene": 0.01, "denis": 0.04},
    **{"f3": 0.06, "f5": 0.06, "announcer": 0.01, "nguyen": 0.06},
}


@dataclass(frozen=True)
class Voice:
    """An espeak-ng variant, used with any language.

    Attributes:
        name: id used in file names.
        variant: espeak-ng variant after "en-us+" or "cmn+".
        sex: "female" or "male", by pitch and formants.
        role: "study_train", "study_unseen" (no weight ever hears it) or "pretrain".
        pitch: base pitch, in steps of espeak's 0-99 scale where 50 is the variant's own.
    """

    name: str
    variant: str
    sex: str
    role: str
    pitch: int = 50


_TRAIN = (
    ("f1", "female", 50),
    ("f2", "female", 50),
    ("f4", "female", 54),
    ("aunty", "female", 50),
    ("m1", "male", 50),
    ("klatt4", "male", 50),
    ("Gene", "male", 54),
    ("Denis", "male", 46),
)
_UNSEEN = (("f3", "female", 50), ("f5", "female", 52), ("announcer", "male", 50), ("Nguyen", "male", 50))
_CLEAN = (  # intelligible besides the study voices: what the acoustic backbone learns from
    ("steph3", "female", 50),
    ("steph", "female", 42),
    ("linda", "female", 50),
    ("anika", "female", 50),
    ("belinda", "female", 46),
    ("grandma", "female", 50),
    ("adam", "male", 50),
    ("benjamin", "male", 58),
    ("edward", "male", 50),
    ("klatt2", "male", 44),
    ("klatt", "male", 60),
    ("sandro", "male", 50),
    ("michel", "male", 50),
    ("m5", "male", 56),
    ("Alex", "male", 50),
    ("john", "male", 44),
)
_MORE = (
    *(("Alicia", "female", 50), ("Andrea", "female", 50), ("Annie", "female", 50), ("shelby", "female", 50)),
    *(("whisperf", "female", 50), ("steph2", "female", 58), ("anikaRobot", "female", 44), ("robosoft6", "female", 50)),
    *(("Diogo", "male", 56), ("Gene2", "male", 58), ("Henrique", "male", 42), ("Jacky", "male", 50)),
    *(("Marco", "male", 50), ("Mario", "male", 50), ("Michael", "male", 50), ("Mike", "male", 50)),
    *(("RicishayMax2", "male", 50), ("Storm", "male", 50), ("Tweaky", "male", 50), ("UniRobot", "male", 50)),
    *(("antonio", "male", 50), ("croak", "male", 50), ("david", "male", 50), ("ed", "male", 50)),
    *(("edward2", "male", 42), ("fast", "male", 60), ("grandpa", "male", 54), ("gustave", "male", 50)),
    *(("iven", "male", 50), ("iven2", "male", 58), ("klatt3", "male", 56), ("klatt5", "male", 48)),
    *(("klatt6", "male", 62), ("m2", "male", 50), ("m3", "male", 50), ("m4", "male", 50)),
    *(("m6", "male", 66), ("m7", "male", 50), ("m8", "male", 50), ("marcelo", "male", 50)),
    *(("max", "male", 40), ("mike2", "male", 50), ("norbert", "male", 50), ("pablo", "male", 50)),
    *(("paul", "male", 50), ("pedro", "male", 50), ("quincy", "male", 50), ("rob", "male", 50)),
    *(("robert", "male", 44), ("robosoft2", "male", 50), ("robosoft4", "male", 50), ("travis", "male", 50)),
    *(("victor", "male", 50), ("whisper", "male", 50)),
)


def _voices(rows: tuple[tuple[str, str, int], ...], role: str) -> tuple[Voice, ...]:
    return tuple(Voice(variant.lower(), variant, sex, role, pitch) for variant, sex, pitch in rows)


TRAIN_VOICES = _voices(_TRAIN, "study_train")
UNSEEN_VOICES = _voices(_UNSEEN, "study_unseen")
BACKBONE_VOICES = TRAIN_VOICES + _voices(_CLEAN, "pretrain")
PRETRAIN_VOICES = BACKBONE_VOICES + _voices(_MORE, "pretrain")
VOICES = {voice.name: voice for voice in PRETRAIN_VOICES + UNSEEN_VOICES}
