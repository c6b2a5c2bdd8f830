"""Speech for a person: dub one video (`dub`, `syncvoice dub`), or say a text in a voice (`speak`, `syncvoice speak`).

`engine` says who speaks: `by_model` a SyncVoice model (`model` finds its weights), `by_timing` a public TTS model at
times that the lips tell. `script` says what is spoken when, `voice` reads the reference recording, `faces` follows the
speaker, `mixing` adds a background, `run` joins them. Everything else is the code that the studies run.
"""

from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.run import Dubber, dub
from syncvoice.dubbing.speaking import Spoken, speak
from syncvoice.dubbing.speech import Sound

__all__ = ["Dubbed", "Dubber", "Sound", "Spoken", "dub", "speak"]
