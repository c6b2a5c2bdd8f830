"""Speech for a person: dub one video (`dub`, `syncvoice dub`), or say a text in a voice (`speak`, `syncvoice speak`).

`model` finds the weights, `script` says what is spoken when, `voice` reads the reference recording, `faces` follows the
speaker, `mixing` adds a background, `run` joins them. Everything else is the code that the studies run.
"""

from syncvoice.dubbing.run import Dubbed, Sound, dub
from syncvoice.dubbing.speaking import Spoken, speak

__all__ = ["Dubbed", "Sound", "Spoken", "dub", "speak"]
