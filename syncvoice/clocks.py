"""Every rate of the project and the exact conversions between them (design: contracts between stages).

Clocks: video 25 fps; audio 24 kHz for synthesis and 16 kHz for scorers; mel hop 256 samples at 24 kHz, i.e. 93.75
frames per second, 15/4 mel frames per video frame. N video frames last 960 N samples at 24 kHz.
"""

import numpy as np

FPS = 25  # video frames per second
SAMPLE_RATE = 24_000  # Hz, synthesis
SCORER_SAMPLE_RATE = 16_000  # Hz, SyncNet, recognisers, speaker encoders
HOP = 256  # samples at SAMPLE_RATE between mel frames
MEL_FPS = SAMPLE_RATE / HOP  # 93.75
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS  # 960


def mel_frames(n_video_frames: int) -> int:
    """Number of mel frames of a clip of N video frames: (15 N + 2) // 4, which is 3.75 N rounded half up."""
    return (15 * n_video_frames + 2) // 4


def samples(n_video_frames: int) -> int:
    """Number of 24 kHz samples of a clip of N video frames."""
    return SAMPLES_PER_FRAME * n_video_frames


def video_frames(n_samples: int) -> int:
    """Number of whole video frames in `n_samples` samples at 24 kHz."""
    return n_samples // SAMPLES_PER_FRAME


def video_frame_of_mel(mel_frame: int) -> int:
    """Video frame that mel frame f belongs to: 4 f // 15."""
    return 4 * mel_frame // 15


def frame_centres(n_video_frames: int) -> np.ndarray:
    """Centres of video frames in seconds, (k + 1/2) / 25, float64 (frames,)."""
    return (np.arange(n_video_frames) + 0.5) / FPS


def mel_frame_times(n_mel_frames: int) -> np.ndarray:
    """Centres of mel frames in seconds, f * 256 / 24000 (the spectrogram is centred), float64 (frames,)."""
    return np.arange(n_mel_frames) * HOP / SAMPLE_RATE
