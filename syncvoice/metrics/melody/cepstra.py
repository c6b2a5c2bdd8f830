"""Mel cepstra and dynamic time warping: how two sounds are compared frame by frame, for `spectral` and `prosody`.

Audio is mono float32 at 24 kHz. The cepstrum c is the cosine series of the natural log mel magnitudes of the vocoder's
spectrogram (100 bands, hop 256), log|X(w)| = c_0 + sum c_m cos(m w); coefficients 1 to 13 are compared, 0 (level) is
not. Warping takes steps right, down and diagonal; the cost is the Euclidean distance.
"""

import numpy as np

N_CEPSTRA = 13
LOG_SCALE = 0.1  # cached mel features are 0.1 * natural log
FLOOR_DB = 60.0  # our choice: bands more than this below the loudest are silence and count as equal


def mel_cepstra(audio: np.ndarray) -> np.ndarray:
    """Cepstra 1 to 13 of a sound (samples,) at 24 kHz: (frames, 13) float32."""
    from scipy.fft import dct

    from syncvoice.features.mel import log_mel

    log_spectrum = np.asarray(log_mel(audio, None), dtype=np.float32) / LOG_SCALE
    floored = np.maximum(log_spectrum, log_spectrum.max() - FLOOR_DB * np.log(10) / 20)
    orthonormal = dct(floored, type=2, norm="ortho", axis=1)[:, 1 : N_CEPSTRA + 1]
    return orthonormal * np.float32(np.sqrt(2 / floored.shape[1]))


def dtw_path(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    """Dynamic time warping of two sequences (frames, dims).

    Returns:
        Smallest summed Euclidean distance over monotone paths from start to start to end to end, and that path
        (steps, 2) as pairs of frames (among equally cheap paths the one that prefers diagonal steps).

    Raises:
        ValueError: a sequence is empty or the dimensions differ.
    """
    cost = np.sqrt(_squared_distances(first, second)).astype(np.float64)
    total, origin = _cheapest(cost)
    return total, _trace(origin, *cost.shape)


def dtw_cost(first: np.ndarray, second: np.ndarray) -> tuple[float, int]:
    """Smallest summed distance and number of steps of `dtw_path`."""
    total, path = dtw_path(first, second)
    return total, len(path)


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of all pairs of frames (first, second)."""
    if first.ndim != 2 or second.ndim != 2 or not len(first) or not len(second) or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"DTW needs two non-empty (frames, dims) arrays of equal dims, got {first.shape}, {second.shape}"
        )
    squared = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.maximum(squared, 0)


def _cheapest(cost: np.ndarray) -> tuple[float, np.ndarray]:
    """Cheapest monotone path through a cost matrix (rows, columns), anti-diagonal by anti-diagonal.

    All cells of an anti-diagonal depend on the two before it only, so each is one vector operation.

    Returns:
        Cost of the path, and for every cell, as origin[row + column, row], where its best path comes from:
        0 both indices one less, 1 the row one less, 2 the column one less.
    """
    rows, columns = cost.shape
    padded = np.full((rows, columns + rows), np.inf)
    padded[:, :columns] = cost
    # Rows one cell shorter than they are stored: skewed[d, i] = cost[i, d - i]
    skewed = padded.ravel()[: rows * (columns + rows - 1)].reshape(rows, -1).T
    origin = np.zeros(skewed.shape, np.uint8)
    before = np.full(rows + 1, np.inf)  # diagonal d - 2, shifted by one row: index i holds row i - 1
    last = np.full(rows + 1, np.inf)  # diagonal d - 1
    last[1] = skewed[0, 0]
    for diagonal in range(1, rows + columns - 1):
        best = before[:-1]  # from (i - 1, j - 1)
        for number, candidate in ((1, last[:-1]), (2, last[1:])):
            better = candidate < best
            best = np.where(better, candidate, best)
            origin[diagonal, better] = number
        before, last = last, np.full(rows + 1, np.inf)
        last[1:] = best + skewed[diagonal]
    return float(last[rows]), origin


def _trace(origin: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Path (steps, 2) from the first cell to the last."""
    row, column = rows - 1, columns - 1
    path = [(row, column)]
    while row or column:
        came = origin[row + column, row]
        row, column = row - (came != 2), column - (came != 1)
        path.append((row, column))
    return np.array(path[::-1])
