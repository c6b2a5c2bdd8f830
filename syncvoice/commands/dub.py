"""`syncvoice dub`: dub one video with a text and a reference voice."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.text.language import LANGUAGES

if TYPE_CHECKING:
    from syncvoice.dubbing import Dubbed

CONSENT = (
    "A voice and a face belong to a person: dub people only with their consent and say that the speech is synthetic. "
    "The file says so in its metadata."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = CONSENT
    parser.add_argument(
        "video", type=Path, nargs="?", help="video with one face, at most 30 s unless --subtitles are given"
    )
    parser.add_argument(
        "--batch", type=Path, help="table of clips (CSV: video, text or subtitles, voice, speaker ...) instead of one; "
        "--out is then a folder, and models are loaded once",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="video to write (.mp4); with --batch a folder")
    parser.add_argument("--dry-run", action="store_true", help="print the plan of all cues and make nothing")
    _add_texts(parser)
    _add_voices(parser)
    _add_timing(parser)
    _add_takes(parser)
    _add_engine(parser)


def _add_texts(parser: argparse.ArgumentParser) -> None:
    """Declare what is said."""
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--text", help="what is said over the whole clip")
    said.add_argument(
        "--subtitles", type=Path, help="SubRip, WebVTT or SubStation file, or a video with a subtitle track: every cue "
        "is spoken in its own time; sounds such as (LAUGHS) are not",
    )  # fmt: skip
    parser.add_argument(
        "--subtitle-track", default="", metavar="N", help="number (from 1) or language of the video's subtitle track"
    )
    parser.add_argument("--language", choices=tuple(LANGUAGES), default="en", help="of the text (default: en)")


def _add_voices(parser: argparse.ArgumentParser) -> None:
    """Declare who speaks."""
    parser.add_argument(
        "--voice", action="append", default=[], metavar="[NAME=]FILE", help="recording of the voice to speak with, 3 "
        "to 10 s; with NAME= that of a speaker whom the subtitles name (NAME:, a voice span, a style); may be repeated",
    )  # fmt: skip
    parser.add_argument("--speaker", default="", metavar="NAME", help="who says what nobody else is named for")
    parser.add_argument(
        "--voice-blend",
        metavar="NAME=WEIGHT,...",
        help="stock voices of the timed engine, e.g. af_heart=0.6,am_adam=0.4"
        " (default: those nearest to the recording)",
    )
    parser.add_argument("--voice-text", help="what the recording says; with it the voice may be copied more closely")
    parser.add_argument(
        "--keep-background", type=Path, help="sound file without the original voice, laid under the speech"
    )
    parser.add_argument(
        "--several-faces", choices=("exclude", "speaking", "longest", "first"), default="exclude",
        help="exclude: refuse a picture with a second face; speaking: take the face whose lips go with the video's own "
        "sound; longest: the one seen longest; first: the one found first (default: exclude)",
    )  # fmt: skip


def _add_timing(parser: argparse.ArgumentParser) -> None:
    """Declare the limits of the speech rate."""
    parser.add_argument(
        "--max-rate", type=float, default=1.4, help="a text is too fast beyond so many times the natural 5 syllables "
        "per second; its cue then borrows silence (default: 1.4)",
    )  # fmt: skip
    parser.add_argument(
        "--min-rate", type=float, default=0.2, help="a text is too slow below so many times the natural rate; its cue "
        "then ends earlier (default: 0.2)",
    )  # fmt: skip
    parser.add_argument(
        "--borrow", type=float, default=0.5, metavar="SECONDS", help="of silence that a cue may take from either side "
        "(default: 0.5)",
    )  # fmt: skip


def _add_takes(parser: argparse.ArgumentParser) -> None:
    """Declare what is spoken again."""
    parser.add_argument(
        "--only-cue", type=int, action="append", default=[], metavar="N", help="speak this cue alone; the others come "
        "from the session, or stay silent (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--takes", type=int, default=1, help="speak every cue so many times and keep the best: the voice most like the "
        "recording, then the words that Whisper hears (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--session", type=Path, metavar="FOLDER", help="keep every spoken cue there; the same command resumes, and "
        "--only-cue changes one of them",
    )  # fmt: skip
    parser.add_argument("--no-scores", action="store_true", help="do not score the dub at the end")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """Declare which model speaks, and how it is sampled."""
    parser.add_argument(
        "--engine",
        choices=("auto", "timed", "small", "zipvoice"),
        default="auto",
        help="timed: natural speech at times that the lips tell; small: the model of the default study; zipvoice: the "
        "full-size model; auto: the full-size model if its weights are there, else timed (default: auto)",
    )
    parser.add_argument(
        "--follow",
        choices=("auto", "lips", "mouth", "nothing"),
        default="auto",
        help="what words of the timed engine follow: the lips, if they say the text; the phrases and pauses of the "
        "mouth, for a translation (default: lips for English, mouth for other languages)",
    )
    parser.add_argument("--text-scale", type=float, help="how strictly the text is followed (default: 2)")
    parser.add_argument("--face-scale", type=float, help="how strictly the face is followed, 0 = not (default: 2)")
    parser.add_argument("--lip-scale", type=float, help="same for the lips (default: 2, with --language zh 0)")
    parser.add_argument(
        "--scale", action="append", default=[], metavar="CONDITION=VALUE", help="same for anything else the model sees"
    )
    parser.add_argument("--steps", type=int, default=8, help="sampling steps, more take longer (default: 8)")
    parser.add_argument(
        "--temperature", type=float, help="of the noise, 0 to 1: less is clearer and flatter (default: by model)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed is another reading (default: 1)")
    parser.add_argument("--model", type=Path, help="exported recipe that shall speak")


def run(args: argparse.Namespace) -> None:
    """Dub, with a progress bar, and tell what was made.

    Raises:
        UserError: a clip cannot be dubbed, or was written although nobody can follow its text; of a batch, after all
            clips were tried.
    """
    from syncvoice.dubbing import Sound, dub
    from syncvoice.errors import UserError
    from syncvoice.timed_speech.voices import parse_blend

    if (args.video is None) == (args.batch is None):
        raise UserError("name one video, or a table of clips with --batch")
    if args.dry_run:
        _tell_plans(args)
        return
    if args.out is None:
        raise UserError("name the video to write with --out FILE.mp4 (with --batch a folder), or look at --dry-run")
    blend = parse_blend(args.voice_blend) if args.voice_blend else None
    sound = Sound(args.steps, args.seed, scales_of(args), temperature=args.temperature)
    engine = {"model": args.model, "sound": sound, "follow": args.follow, "voice_blend": blend}  # fmt: skip
    if args.batch is not None:
        _run_batch(args, engine, _clip_of(args))
        return
    with _Bar() as bar:
        result = dub(args.video, out=args.out, engine=args.engine, progress=bar.show, **_clip_of(args), **engine)
    _tell(result)
    _judge(result, args.video, args)
    _check_pace(result, args.language)


def _clip_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `Dubber.dub` that all clips share."""
    from syncvoice.dubbing import Wishes
    from syncvoice.dubbing.voices import parse_voices

    wishes = Wishes(_pace_of(args), args.subtitle_track, args.speaker, tuple(args.only_cue), args.takes, args.session)
    return {"text": args.text, "voice": parse_voices(args.voice) or None, "subtitles": args.subtitles,
            "language": args.language, "voice_text": args.voice_text, "keep_background": args.keep_background,
            "several_faces": args.several_faces, "wishes": wishes}  # fmt: skip


def _pace_of(args: argparse.Namespace) -> Any:
    """Return the limits of the speech rate."""
    from syncvoice.dubbing import Pace

    return Pace(args.max_rate, args.min_rate, args.borrow)


def _tell_plans(args: argparse.Namespace) -> None:
    """Write the plan of a clip, or of all clips of a table.

    Raises:
        UserError: a clip cannot be planned; of a batch, after all were tried.
    """
    from syncvoice.dubbing.batch import read_batch
    from syncvoice.errors import UserError

    if args.batch is None:
        _tell_plan(args.video, _clip_of(args))
        return
    failed, rows = [], read_batch(args.batch, args.out or Path())
    for row in rows:
        sys.stdout.write(f"{args.batch} row {row.row}: {row.options['video']}\n")
        try:
            _tell_plan(row.options["video"], row.merged(_clip_of(args)))
        except UserError as error:
            failed.append(str(row.row))
            sys.stderr.write(f"{args.batch} row {row.row}: {error}\n")
    if failed:
        raise UserError(f"{len(failed)} of {len(rows)} clips cannot be planned (rows {', '.join(failed)}); see above")


def _tell_plan(video: Path, clip: dict[str, Any]) -> None:
    """Write the plan of one clip.

    Raises:
        UserError: it cannot be planned.
    """
    from syncvoice.dubbing.run import plan_of

    plan, advice = plan_of(video, clip)
    sys.stdout.write(f"{plan.table()}\n")
    for sentence in [*plan.warnings, *advice]:
        sys.stdout.write(f"- {sentence}\n")


def _judge(result: "Dubbed", video: Path, args: argparse.Namespace, language: str = "") -> None:
    """Write one line about how good a dub is."""
    from syncvoice.dubbing.judging import judge

    if not args.no_scores:
        judged = judge(result, video, result.references, language or args.language)
        sys.stdout.write(f"{judged.told(result.is_random)}\n")


def _run_batch(args: argparse.Namespace, engine: dict[str, Any], clip: dict[str, Any]) -> None:
    """Dub the clips of a table, with a bar, and write a report of its rows.

    Raises:
        UserError: one or more could not be dubbed.
    """
    from tqdm import tqdm

    from syncvoice.dubbing import Dubber
    from syncvoice.dubbing.batch import REPORT, Report, dub_batch, read_batch
    from syncvoice.errors import UserError

    rows = read_batch(args.batch, args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    report = Report(args.out / REPORT)
    with tqdm(total=len(rows), desc="clips", unit="clip") as bar:
        for row, result in dub_batch(Dubber(args.engine, **engine), rows, **clip):
            try:
                if isinstance(result, UserError):
                    raise result
                _tell(result)
                _judge(result, Path(row.options["video"]), args, row.options.get("language", ""))
                _check_pace(result, row.options.get("language", args.language))
                report.add(row, result, "")
            except UserError as error:
                report.add(row, result, str(error))
                sys.stderr.write(f"{args.batch} row {row.row}: {error}\n")
            bar.update()
    sys.stdout.write(f"{report.told()}\n")
    if report.failed:
        rest = ", ".join(map(str, report.failed))
        raise UserError(
            f"{len(report.failed)} of {len(rows)} clips cannot be used (rows {rest} of {args.batch}); see above"
        )


def _tell(result: "Dubbed") -> None:
    """Write what was made."""
    for line in result.lines:
        guides = " + ".join(line.guided_by()) or "nothing: it is silent"
        sys.stdout.write(f"{line.cue.where()}: {line.syllables_per_s:.1f} syllables/s, guided by {guides}\n")
    for note in result.notes:
        sys.stdout.write(f"{note}\n")
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.timings.items())
    sys.stdout.write(f"{result.out}: {result.seconds:.2f} s of synthetic speech by model {result.model}\n({times})\n")


def _check_pace(result: "Dubbed", language: str) -> None:
    """Refuse to call a dub done whose text nobody can follow.

    Raises:
        UserError: a text needs more syllables per second than people understand; names the first.
    """
    from syncvoice.dubbing.pace import is_hurried
    from syncvoice.errors import UserError

    hurried = [line for line in result.lines if is_hurried(line.syllables_per_s, language)]
    if hurried:
        raise UserError(
            f"{result.out} was written, but nobody can follow {len(hurried)} of {len(result.lines)} texts: "
            f"{hurried[0].cue.where()} needs {hurried[0].syllables_per_s:.1f} syllables per second; the warnings say"
            " how much to shorten"
        )


def scales_of(args: argparse.Namespace) -> dict[str, float]:
    """Return the guidance scales that the options name.

    Raises:
        UserError: --scale is no CONDITION=VALUE.
    """
    from syncvoice.errors import UserError

    named = {name: getattr(args, f"{name}_scale") for name in ("text", "face", "lip")}
    for text in args.scale:
        condition, _, value = text.partition("=")
        try:
            named[condition] = float(value)
        except ValueError as error:
            raise UserError(f"--scale {text}: expected CONDITION=VALUE, e.g. head_pose=1.5") from error
    return {condition: scale for condition, scale in named.items() if scale is not None}


class _Bar:
    """A progress bar per stage."""

    def __init__(self) -> None:
        self.stage = ""
        self.bar: Any = None

    def show(self, stage: str, done: int, total: int) -> None:
        """Move the bar of a stage to `done` of `total`."""
        from tqdm import tqdm

        if stage != self.stage:
            self._close()
            self.stage, self.bar = stage, tqdm(total=total, desc=stage, mininterval=0.5)
        self.bar.update(done - self.bar.n)
        if done == total:
            self._close()

    def _close(self) -> None:
        """End the bar of a stage; a second time does nothing."""
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> "_Bar":
        """Return the bar."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the last bar."""
        self._close()
