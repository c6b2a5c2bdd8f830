"""Words between wanted times and natural durations: neither is kept at any price.

The boundaries b_0 .. b_n of a phrase's words minimise

    sum ((b_i - wanted_i) / GIVE_S)^2 + sum (log((b_{i+1} - b_i) / natural_i) - log stretch)^2 / SQUEEZE^2
    + (log stretch / STRETCH)^2

so a word starts a little off its time before it is squeezed, and the whole phrase may be slower or faster than the
voice's own rate at little cost. Constants: our choice, looked at on training clips only.
"""

import numpy as np

GIVE_S = 0.06
SQUEEZE = 0.15
STRETCH = 0.3
LEAST, MOST = 0.45, 2.5  # of a word's natural duration: beyond it is not speech
STEPS = 60


def relaxed(wanted: np.ndarray, natural: np.ndarray, give_s: float = GIVE_S, squeeze: float = SQUEEZE) -> np.ndarray:
    """Return the boundaries of words in seconds.

    Args:
        wanted: (words + 1,) where each word shall begin, and where the last shall end.
        natural: (words,) durations of the voice's own in seconds.
        give_s: how far a boundary may give way.
        squeeze: how far the log duration of a word may.

    Returns:
        (words + 1,) rising.
    """
    n = len(natural)
    log_durations = np.log(np.clip(np.diff(wanted), LEAST * natural, MOST * natural))
    parameters = np.concatenate([[wanted[0]], log_durations])
    log_natural = np.log(natural)
    damping = 1e-3
    cost = _cost(parameters, wanted, log_natural, give_s, squeeze)
    for _ in range(STEPS):
        residual, jacobian = _linearised(parameters, wanted, log_natural, give_s, squeeze)
        normal = jacobian.T @ jacobian
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -jacobian.T @ residual)
        tried = parameters + step
        tried[1:] = np.clip(tried[1:], log_natural + np.log(LEAST), log_natural + np.log(MOST))
        new = _cost(tried, wanted, log_natural, give_s, squeeze)
        if new < cost:
            done = cost - new < 1e-9
            parameters, cost, damping = tried, new, damping / 3
            if done:
                break
        else:
            damping *= 4
    return np.asarray(parameters[0] + np.concatenate([[0.0], np.cumsum(np.exp(parameters[1:]))])[: n + 1])


def _residuals(parameters: np.ndarray, wanted: np.ndarray, log_natural: np.ndarray, give_s: float,
               squeeze: float) -> np.ndarray:  # fmt: skip
    """Residuals of the sum above, the best common stretch put in."""
    found = parameters[0] + np.concatenate([[0.0], np.cumsum(np.exp(parameters[1:]))])
    ratio = parameters[1:] - log_natural
    stretch = ratio.sum() / (len(ratio) + (squeeze / STRETCH) ** 2)
    return np.concatenate([(found - wanted) / give_s, (ratio - stretch) / squeeze, [stretch / STRETCH]])


def _cost(*arguments: np.ndarray | float) -> float:
    return float(np.sum(_residuals(*arguments) ** 2))  # type: ignore[arg-type]


def _linearised(parameters: np.ndarray, wanted: np.ndarray, log_natural: np.ndarray, give_s: float,
                squeeze: float) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Residuals and their derivatives by the first boundary and the log durations."""
    n = len(log_natural)
    durations = np.exp(parameters[1:])
    by_boundary = np.concatenate([np.ones((n + 1, 1)), np.tril(np.ones((n + 1, n)), -1) * durations], axis=1) / give_s
    share = 1 / (n + (squeeze / STRETCH) ** 2)
    by_ratio = np.concatenate([np.zeros((n, 1)), (np.eye(n) - share) / squeeze], axis=1)
    by_stretch = np.concatenate([[0.0], np.full(n, share / STRETCH)])[None]
    return (
        _residuals(parameters, wanted, log_natural, give_s, squeeze),
        np.concatenate([by_boundary, by_ratio, by_stretch]),
    )
