"""SyncVoice: a reproducible study of video dubbing with text, voice and lips."""

__version__ = "0.1.0"
