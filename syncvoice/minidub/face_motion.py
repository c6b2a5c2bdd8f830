"""How the head, the brows and the lids move with the sound, or without it."""

import numpy as np

MOTION = ("yaw", "pitch", "roll", "x", "y", "brows", "blink")

FPS = 25
_SCALES = {"yaw": 0.050, "pitch": 0.050, "roll": 0.035, "x": 1.6, "y": 1.6, "brows": 0.65}  # radians, pixels, share
BLINKS_PER_S = 0.35
BLINK_SHAPE = (0.45, 1.0, 0.9, 0.4)  # share to which the lids are shut, per frame


def motion(prosody: np.ndarray, n_frames: int, coupling: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the movement of head, brows and lids for a clip.

    Pitch of the voice lifts brows and chin, energy nods and leans; with coupling c each curve is
    c * (its part of the prosody) + sqrt(1 - c^2) * (smooth noise of the same spread). Blinks follow onsets of energy
    with probability c, else they fall anywhere. Our choice.

    Args:
        prosody: (n_frames, 2) in [0, 1], energy and pitch.
        n_frames: number of frames at 25 fps.
        coupling: 0 (independent of the sound) .. 1.
        rng: source of the noise.

    Returns:
        float32 (n_frames, 7), columns as MOTION: radians, pixels, shares.
    """
    energy, pitch = np.asarray(prosody, np.float64)[:n_frames].T
    loud, high = (energy - 0.45) / 0.30, (pitch - 0.5) / 0.16
    lean = np.convolve(np.pad(loud, 6, mode="edge"), np.ones(13) / 13, mode="valid")
    driven = {
        "yaw": 0.5 * lean,
        "pitch": 0.85 * loud - 0.45 * high,
        "roll": 0.5 * high,
        "x": 0.4 * lean,
        "y": 0.8 * loud,
        "brows": 0.75 * loud + 0.65 * high,
    }
    noise = _smooth_noise(rng, n_frames, len(driven))
    sign = rng.choice([-1.0, 1.0])
    share, rest = float(np.clip(coupling, 0, 1)), np.sqrt(1 - np.clip(coupling, 0, 1) ** 2)
    sway = {"yaw": 0.85, "roll": 0.85, "x": 0.85}  # sideways movement is never fully led by the voice
    columns = []
    for k, (name, curve) in enumerate(driven.items()):
        led = curve * (sign if name in sway else 1.0)
        mixed = share * led + max(rest, sway.get(name, 0.0), 0.12) * noise[:, k]
        columns.append(_SCALES[name] * 1.7 * np.tanh(mixed / 1.7))
    columns.append(_blinks(rng, energy, share))
    return np.stack(columns, axis=1).astype(np.float32)


def _smooth_noise(rng: np.random.Generator, n_frames: int, n_curves: int) -> np.ndarray:
    """Gaussian noise of unit variance with the smoothness of prosody, (n_frames, n_curves)."""
    reach = 15
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / 4.0) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    white = rng.standard_normal((n_frames + 2 * reach, n_curves))
    return np.stack([np.convolve(white[:, k], kernel, mode="valid") for k in range(n_curves)], axis=1)


def _blinks(rng: np.random.Generator, energy: np.ndarray, coupling: float) -> np.ndarray:
    """Share to which the lids are shut, (frames,)."""
    n_frames = len(energy)
    shut = np.zeros(n_frames + len(BLINK_SHAPE))
    onsets = np.flatnonzero((np.diff(energy) > 0.04) & (energy[:-1] < 0.35))
    for _ in range(rng.poisson(BLINKS_PER_S * n_frames / FPS)):
        anywhere, led = int(rng.integers(n_frames)), rng.random() < coupling
        start = int(rng.choice(onsets)) if led and len(onsets) else anywhere
        shut[start : start + len(BLINK_SHAPE)] = BLINK_SHAPE
    return shut[:n_frames]
