"""What the page of `syncvoice app` shows of a dub beside the clip: a picture of sound and lips, and scores."""

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.app.work import Score

# Aliases of `syncvoice score`, quick ones first.
QUESTIONS = {"lse": "Lip sync", "sim": "Voice", "mos": "Naturalness", "wer": "Words"}
BETTER = {"higher": "higher", "lower": "lower", "zero": "near 0"}
LONGEST_S = 60.0  # of a clip that is drawn: more is a blur (our choice)
# A picture needs no perfect track.
ANY_FACE: dict[str, Any] = {"several_faces": "first", "max_gap_frames": 10**6, "min_face_share": 0.0}


def draw(source: Path, dubbed: Path, out: Path) -> str:
    """Write a PNG of the mel spectrograms of a source and its dub, with the opening of the lips over both.

    Returns:
        a sentence that says what is lacking, or "".

    Raises:
        UserError: the sound cannot be read.
    """
    from syncvoice import clocks
    from syncvoice.errors import UserError
    from syncvoice.features.mel import log_mel
    from syncvoice.video.decode import ClipProblem, FrameSource, fit, read_sound

    frames = FrameSource(source)
    try:
        n_frames = frames.count()
        if n_frames / clocks.FPS > LONGEST_S:
            return f"No picture is drawn of clips longer than {LONGEST_S:g} s."
        sounds = {"Dubbed": read_sound(dubbed, 0.0)}
        if _has_sound(source):
            sounds = {"Source": read_sound(source, frames.start_s), **sounds}
    except ClipProblem as problem:
        raise UserError(f"{source}: {problem.message}") from problem
    mels = {name: np.asarray(log_mel(fit(sound, clocks.samples(n_frames)), n_frames)).T
            for name, sound in sounds.items()}  # fmt: skip
    _write_picture(mels, _opening(frames), n_frames, out)
    return ""


def _has_sound(path: Path) -> bool:
    """Tell whether a file holds a sound stream."""
    from syncvoice.video.decode import opened

    with opened(path) as container:
        return bool(container.streams.audio)


def _opening(frames: Any) -> np.ndarray | None:
    """Return how far the lips are open (frames,); None without a face."""
    from syncvoice.reporting.mel_picture import lip_opening
    from syncvoice.video.decode import ClipProblem
    from syncvoice.video.prepare import PrepareSettings, follow_face

    settings = PrepareSettings(**ANY_FACE)
    try:
        return lip_opening(follow_face(frames, settings.make_detector(), settings).landmarks)
    except ClipProblem:
        return None


def _write_picture(mels: dict[str, np.ndarray], opening: np.ndarray | None, n_frames: int, out: Path) -> None:
    """Draw mel spectrograms (100, mel frames) below each other."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from syncvoice.reporting import style
    from syncvoice.reporting.mel_picture import draw_lips, draw_mel

    with matplotlib.rc_context(style.SETTINGS):
        figure = style.new_figure(5.6, 0.45 + 1.25 * len(mels))
        axes = figure.subplots(len(mels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, mel) in zip(axes, mels.items(), strict=True):
            draw_mel(axis, mel, float(mel.max()), n_frames)
            axis.set_ylabel(f"{name} (Hz)")
            if opening is not None:
                draw_lips(axis, opening)
        lips = " and opening of the lips (white)" if opening is not None else "; no face was found"
        axes[0].set_title(f"Mel spectrogram{lips}", loc="left", fontsize=8, color=style.SOFT)
        axes[-1].set_xlabel("time (s)")
        figure.tight_layout(pad=0.6)
        FigureCanvasAgg(figure)
        figure.savefig(out, dpi=200, metadata=style.METADATA[".png"])


def judge(dubbed: Path, source: Path, text: str, language: str, voice: Path) -> Iterator[list[Score]]:
    """Yield the scores of a dub, one question of QUESTIONS after the other; what cannot be scored says why."""
    from syncvoice.errors import UserError
    from syncvoice.metrics.registry import METRICS, validity_of

    with tempfile.TemporaryDirectory(prefix="syncvoice_scores_") as name:
        folder = Path(name)
        for part, path in (("generated", dubbed), ("videos", source)):
            (folder / part).mkdir()
            (folder / part / f"clip{path.suffix}").symlink_to(path.resolve())
        with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("utterance", "text", "language"), ("clip", text, language)])
        for alias, question in QUESTIONS.items():
            try:
                found = _found(folder, alias, voice)
            except UserError as error:
                yield [Score(question, note=str(error))]
                continue
            files = [METRICS[entry["metric"]].file for entry in found.metrics]
            notes = [Score(question, note=sentence) for sentence in validity_of(files)]
            yield [*_scores(found, question), *notes]


def _found(folder: Path, alias: str, voice: Path) -> Any:
    """Return the scores of one question.

    Raises:
        UserError: no scorer of it has its weights here.
    """
    from syncvoice.commands.score_folders import score

    return score(folder / "generated", alias, videos=folder / "videos", texts=folder / "texts.csv", references=voice)


def _scores(found: Any, question: str) -> list[Score]:
    """Return the numbers of one scorer, or why there are none."""
    from syncvoice.commands.columns import column_of

    scores = []
    for entry in found.metrics:
        if entry["value"] is not None:
            column = column_of(entry["metric"])
            value = f"{entry['value']:.{column.decimals}f} {entry['unit']}".strip()
            scores.append(Score(question, entry["title"], value, BETTER[entry["better"]]))
    if not scores:
        failed = next((row["message"] for row in found.rows if row["status"] == "failed"), "not defined for this clip")
        return [Score(question, note=failed)]
    return scores
