"""Dub one video: what a person with a clip, a text and a voice needs, as a function (`dub`) and as `syncvoice dub`.

`model` finds the weights, `script` says what is spoken when, `voice` reads the reference recording, `faces` follows the
speaker, `mixing` adds a background, `run` joins them. Everything else is the code that the studies run.
"""

from syncvoice.dubbing.run import Dubbed, Sound, dub

__all__ = ["Dubbed", "Sound", "dub"]
