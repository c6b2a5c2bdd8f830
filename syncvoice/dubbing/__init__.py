"""Speech for a person: dub one video (`dub`, `syncvoice dub`), or say a text in a voice (`speak`, `syncvoice speak`).

`engine` says who speaks: `by_model` a SyncVoice model (`model` finds its weights), `by_timing` a public TTS model at
times that the lips tell. `subtitles` says what is spoken when (`speakers`: by whom; `arranging`: in a time of its own),
`plan` whether that can be said (`pace`: the limits), `voice` reads the reference recordings (`voices`: whose they are,
`voice_check`: what they are worth), `faces` follows the speaker, `making` joins lines, voices, `takes` and `session`,
`mixing` adds a background, `run` goes from file to file, `judging` says what came out. Everything else is the code that
the studies run.
"""

from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.making import Wishes
from syncvoice.dubbing.pace import Pace
from syncvoice.dubbing.run import Dubber, dub
from syncvoice.dubbing.speaking import Spoken, speak
from syncvoice.dubbing.speech import Sound

__all__ = ["Dubbed", "Dubber", "Pace", "Sound", "Spoken", "Wishes", "dub", "speak"]
