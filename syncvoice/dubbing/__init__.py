"""Dub one video: what a person with a clip, a text and a voice needs, as a function (`dub`) and as `syncvoice dub`.

`engine` says who speaks: `by_model` a SyncVoice model (`model` finds its weights), `by_timing` a public TTS model at
times that the lips tell. `script` says what is spoken when, `voice` reads the reference recording, `faces` follows the
speaker, `mixing` adds a background, `run` joins them. Everything else is the code that the studies run.
"""

from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.run import Dubber, dub
from syncvoice.dubbing.speech import Sound

__all__ = ["Dubbed", "Dubber", "Sound", "dub"]
