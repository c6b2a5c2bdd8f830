"""Contact sheet of a split: what a person looks at before training on it.

Per clip: pictures with the tracked face; the stored mouth crops, the known words, and the spectrogram with the opening
of the lips, all over one time axis. Excluded clips are counted by reason, each reason with an example.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.records.clips import Clip, Excluded
from syncvoice.reporting import style
from syncvoice.reporting.mel_picture import draw_lips, draw_mel, lip_opening
from syncvoice.video.mesh_points import FACE_OVAL, LOWER_INNER, LOWER_OUTER, UPPER_INNER, UPPER_OUTER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from syncvoice.video.track import Track

SHOWN = 8
DPI = 150
LIPS = (UPPER_OUTER + LOWER_OUTER[-2:0:-1], UPPER_INNER + LOWER_INNER[-2:0:-1])  # closed rings
OUTLINE_COLOUR, LIP_COLOUR, FILLED_COLOUR, BOX_COLOUR = "#56b4e9", "#f0e442", "#d55e00", "#ffffff"
BOX_MARGIN = 0.12  # of the box's side, around a close-up
NARROW = 0.15  # share of frames that count as lips narrow

# Layout in pixels of the sheet.
COLUMNS = 2
MARGIN, BETWEEN = 36, 72
AXIS = 52  # left of the spectrogram, for its labels
N_MOUTHS, MOUTH = 14, 72
WIDTH = AXIS + N_MOUTHS * MOUTH  # of a clip
CLOSE_UP, GAP = 244, 8
WHOLE = WIDTH - 3 * (CLOSE_UP + GAP)  # width of the whole frame
CAPTION, LABEL, WORDS, MEL, TICKS = 62, 26, 26, 170, 34
HEIGHT = CAPTION + CLOSE_UP + LABEL + MOUTH + WORDS + MEL + TICKS
SHEET_WIDTH = 2 * MARGIN + COLUMNS * WIDTH + (COLUMNS - 1) * BETWEEN
HEAD, LINE = 128, 27


@dataclass(frozen=True)
class Panel:
    """What is shown of one clip.

    Attributes:
        clip: its line of the manifest.
        track: its landmarks and boxes.
        pictures: (frame number, what it shows, RGB picture with the face drawn); the first is the whole frame.
        mouths: (N_MOUTHS, size, size) uint8 stored mouth crops, each from the middle of its part of the clip.
        mel: (100, mel frames) float32.
    """

    clip: Clip
    track: "Track"
    pictures: list[tuple[int, str, np.ndarray]]
    mouths: np.ndarray
    mel: np.ndarray


def sample(clips: Sequence[Clip], n: int = SHOWN) -> list[Clip]:
    """Return up to `n` clips with picture, spread over the speakers; the same ones on every machine.

    Speakers take turns; of each, clips come in the order of the checksums of their ids. With more speakers than `n`,
    speakers at equal distances in the alphabet are taken.
    """
    by_speaker: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (zlib.crc32(clip.id.encode()), clip.id)):
        if clip.track is not None and clip.video is not None:
            by_speaker[clip.speaker].append(clip)
    speakers = sorted(by_speaker)
    if len(speakers) > n:
        speakers = [speakers[round(place)] for place in np.linspace(0, len(speakers) - 1, n)]
    turns = [(turn, name) for name in speakers for turn in range(len(by_speaker[name]))]
    chosen = [by_speaker[name][turn] for turn, name in sorted(turns)[:n]]
    return sorted(chosen, key=lambda clip: (clip.speaker, clip.id))


def moments(opening: np.ndarray, found: np.ndarray) -> dict[int, str]:
    """Return three frames worth a close look, in order of time, and what they show.

    Args:
        opening: (frames,) of the lips.
        found: (frames,) False where the face was lost; the first such frame takes the place of the middle one.
    """
    n, widest, lost = len(opening), int(opening.argmax()), np.flatnonzero(~found)
    narrow = np.flatnonzero(opening <= np.quantile(opening, NARROW))
    nearest = int(narrow[np.abs(narrow - widest).argmin()])  # within speech rather than in the silence around it
    wanted = [(int(number), "face lost, filled") for number in lost[:1]]
    wanted += [(widest, "lips widest"), (nearest, "lips narrow"), (n // 2, "middle")]
    wanted += [(n // 4, "a quarter in"), (3 * n // 4, "three quarters in")]  # where others are one frame
    shown: dict[int, str] = {}
    for number, label in wanted:
        if len(shown) < 3:
            shown.setdefault(number, label)
    return dict(sorted(shown.items()))


def close_up(frame: np.ndarray, landmarks: np.ndarray, box: np.ndarray, found: bool, size: int) -> np.ndarray:
    """Cut a frame around the face box to (size, size, 3) and draw box, face outline and lips.

    Args:
        frame: RGB (height, width, 3) uint8.
        landmarks: (478, 2 or more) pixels of the frame.
        box: (4,) x0, y0, x1, y1 pixels of the frame.
        found: False draws the landmarks in the colour of filled frames.
        size: edge in pixels.
    """
    from syncvoice.video.crop import box_transforms, warp

    matrix = box_transforms(box[None].astype(np.float64), size, BOX_MARGIN)[0]
    return _drawn(warp(frame, matrix, size), landmarks, box, matrix, found)


def whole(frame: np.ndarray, landmarks: np.ndarray, box: np.ndarray, found: bool, limit: tuple[int, int]) -> np.ndarray:
    """Shrink or enlarge a frame to fit `limit` (width, height) and draw box, face outline and lips; see `close_up`."""
    import cv2

    height, width = frame.shape[:2]
    scale = min(limit[0] / width, limit[1] / height)
    size = (round(width * scale), round(height * scale))
    image = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    shift = (scale - 1) / 2  # pixel centres, not corners
    return _drawn(image, landmarks, box, np.array([[scale, 0, shift], [0, scale, shift]]), found)


def _drawn(image: np.ndarray, landmarks: np.ndarray, box: np.ndarray, matrix: np.ndarray, found: bool) -> np.ndarray:
    """Draw on a picture what lies in the frame where `matrix` (2, 3) maps it."""
    import cv2

    image = np.ascontiguousarray(image)

    def ring(points: np.ndarray, colour: str) -> None:
        places = points[:, :2].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
        cv2.polylines(image, [np.round(places * 16).astype(np.int32)], True, _rgb(colour), 1, cv2.LINE_AA, shift=4)

    corners = box[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    ring(corners, BOX_COLOUR)
    ring(landmarks[list(FACE_OVAL)], OUTLINE_COLOUR if found else FILLED_COLOUR)
    for lips in LIPS:
        ring(landmarks[list(lips)], LIP_COLOUR if found else FILLED_COLOUR)
    return image


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def load_panel(clip: Clip) -> Panel:
    """Read what the sheet shows of a clip.

    Raises:
        UserError: a file is missing, or the source video was changed.
    """
    from syncvoice.features.mel import log_mel
    from syncvoice.records.sound import sound_of
    from syncvoice.video.decode import ClipProblem, FrameSource
    from syncvoice.video.store import TrackReader

    with TrackReader(Path(str(clip.track))) as reader:
        track = reader.track(clip.id)
        numbers = ((np.arange(N_MOUTHS) + 0.5) / N_MOUTHS * clip.n_frames).astype(int)
        mouths = np.concatenate([reader.mouth(clip.id, number, number + 1) for number in numbers.tolist()])
    shown = moments(lip_opening(track.landmarks), track.found)
    try:
        frames = FrameSource(Path(str(clip.video))).pick({0, *shown})
    except ClipProblem as problem:
        raise UserError(f"clip '{clip.id}': {problem.message}; run the prepare step again") from problem

    def face(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        return frames[number], track.landmarks[number], track.box[number], bool(track.found[number])

    pictures = [(0, "first frame", whole(*face(0), limit=(WHOLE, CLOSE_UP)))]
    pictures += [(number, label, close_up(*face(number), size=CLOSE_UP)) for number, label in shown.items()]
    audio = sound_of(clip, clocks.SAMPLE_RATE)
    return Panel(clip, track, pictures, mouths, np.asarray(log_mel(audio, clip.n_frames)).T)


class Sheet:
    """A figure with places in pixels from its top left corner."""

    def __init__(self, width: int, height: int) -> None:
        """Make an empty sheet."""
        self.width, self.height = width, height
        self.figure = style.new_figure(width / DPI, height / DPI)
        self.figure.set_dpi(DPI)

    def text(self, x: float, y: float, text: str, size: float, colour: str = style.INK, **more: Any) -> None:
        """Write one line; (x, y) is its top left corner, or what `ha` and `va` say."""
        more = {"va": "top", "parse_math": False, **more}
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=size, color=colour, **more)

    def picture(self, x: int, y: int, image: np.ndarray) -> None:
        """Put a picture pixel by pixel with its top left corner at (x, y)."""
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        self.figure.figimage(image, x, self.height - y - image.shape[0], origin="upper")

    def axes(self, x: float, y: float, width: float, height: float) -> Any:
        """Return axes in a rectangle."""
        place = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place)


def contact_sheet(title: str, clips: Sequence[Clip], excluded: Sequence[Excluded], shown: int = SHOWN) -> "Figure":
    """Return the contact sheet of a split; without a clip to show it says so.

    Args:
        title: names data set and split.
        clips: accepted clips of the split.
        excluded: clips that were left out.
        shown: number of clips on the sheet.

    Raises:
        UserError: a file of a shown clip is missing.
    """
    import matplotlib

    chosen = sample(clips, shown)
    reasons = Counter(row.reason for row in excluded).most_common()
    head = HEAD + (LINE * (len(reasons) + 1) + MARGIN // 2 if reasons else 0)
    rows = -(-len(chosen) // COLUMNS)
    height = head + (rows * (HEIGHT + BETWEEN // 2) if rows else 2 * LINE) + MARGIN // 2
    with matplotlib.rc_context(style.SETTINGS):
        sheet = Sheet(SHEET_WIDTH, height)
        _head(sheet, title, clips, len(chosen), excluded)
        _excluded(sheet, excluded, reasons)
        if not chosen:
            what = f"its {len(clips)} clips are sound only" if clips else "no clip was accepted"
            sheet.text(MARGIN, head, f"Nothing to show: {what}.", 11)
        for index, clip in enumerate(chosen):
            row, column = index % rows, index // rows
            x, y = MARGIN + column * (WIDTH + BETWEEN), head + row * (HEIGHT + BETWEEN // 2)
            _panel(sheet, x, y, load_panel(clip))
    return sheet.figure


def _head(sheet: Sheet, title: str, clips: Sequence[Clip], n_shown: int, excluded: Sequence[Excluded]) -> None:
    """Write title, counts and the legend."""
    sheet.text(MARGIN, 26, title, 15)
    minutes = sum(clip.n_frames for clip in clips) / clocks.FPS / 60
    speakers = len({clip.speaker for clip in clips})
    counts = f"{len(clips)} clips accepted ({minutes:.1f} min, {speakers} speaker{'s' * (speakers != 1)})"
    counts += f", {len(excluded)} excluded." if excluded else ", none excluded."
    if n_shown:
        counts += f" Shown: {n_shown}, spread over the speakers and chosen by name."
    sheet.text(MARGIN, 66, counts, 9, style.SOFT)
    if not n_shown:
        return
    legend = [
        ("In the pictures", style.SOFT), ("□ face box", style.SOFT), ("■ face outline", OUTLINE_COLOUR),
        ("■ lips", "#b8a800"), ("■ both, where the face was lost and is filled in", FILLED_COLOUR),
    ]  # fmt: skip
    x = MARGIN
    for text, colour in legend:
        sheet.text(x, 90, text, 9, colour)
        x += round(_extent(text, 9)) + 22
    below = "Below them, over one time axis: stored mouth crops, known words, sound, and the opening of the lips (line)"
    sheet.text(SHEET_WIDTH - MARGIN, 90, below, 9, style.SOFT, ha="right")


def _excluded(sheet: Sheet, excluded: Sequence[Excluded], reasons: list[tuple[str, int]]) -> None:
    """List how many clips each reason excludes, with the first one as an example."""
    if reasons:
        sheet.text(MARGIN, HEAD - 2, "Excluded, by reason, with an example", 9)
    for number, (reason, count) in enumerate(reasons, start=1):
        y = HEAD + LINE * number - 2
        example = min((row for row in excluded if row.reason == reason), key=lambda row: (row.clip, row.media))
        sheet.text(MARGIN + 60, y, str(count), 9, FILLED_COLOUR, ha="right")
        sheet.text(MARGIN + 76, y, reason, 9)
        text = f"{example.clip}: {example.message}"
        sheet.text(MARGIN + 300, y, fitted(text, SHEET_WIDTH - 2 * MARGIN - 300, 9), 9, style.SOFT)


def _panel(sheet: Sheet, x: int, y: int, panel: Panel) -> None:
    """Draw one clip with its top left corner at (x, y)."""
    clip = panel.clip
    facts = [f"speaker {clip.speaker}" if clip.speaker else "", clip.language, f"{clip.n_frames / clocks.FPS:.2f} s"]
    facts.append(f"face in {int(panel.track.found.sum())} of {clip.n_frames} frames")
    facts.append(f"chosen from {clip.n_faces} faces" if clip.n_faces > 1 else "")
    soft = " · ".join(fact for fact in facts if fact)
    sheet.text(x + WIDTH, y + 3, soft, 8, style.SOFT, ha="right")
    sheet.text(x, y, fitted(clip.id, WIDTH - _extent(soft, 8) - 20, 10), 10)
    text = f"{clip.text}   →   {clip.translation_text}" if clip.translation_text else clip.text
    sheet.text(x, y + 27, fitted(text, WIDTH, 9.5), 9.5)
    y += CAPTION
    place = x
    for number, (frame, label, image) in enumerate(panel.pictures):
        sheet.picture(place, y + CLOSE_UP - image.shape[0], image)
        sheet.text(place, y + CLOSE_UP + 4, f"{number + 1}   {frame / clocks.FPS:.2f} s, {label}", 7, style.SOFT)
        place += (WHOLE if number == 0 else CLOSE_UP) + GAP
    y += CLOSE_UP + LABEL
    _mouths(sheet, x + AXIS, y, panel.mouths)
    y += MOUTH
    _words(sheet, x + AXIS, y, clip)
    _sound(sheet, x + AXIS, y + WORDS, panel)


def _mouths(sheet: Sheet, x: int, y: int, mouths: np.ndarray) -> None:
    """Draw the mouth crops side by side."""
    import cv2

    for number, image in enumerate(mouths):
        sheet.picture(x + number * MOUTH, y, cv2.resize(image, (MOUTH, MOUTH), interpolation=cv2.INTER_AREA))


def _words(sheet: Sheet, x: int, y: int, clip: Clip) -> None:
    """Write the known words over the time that they take; a word too long for its time keeps its line only."""
    axis = sheet.axes(x, y, WIDTH - AXIS, WORDS)
    axis.set(xlim=(0, clip.n_frames / clocks.FPS), ylim=(0, 1))
    axis.set_axis_off()
    scale = (WIDTH - AXIS) * clocks.FPS / clip.n_frames  # pixels per second
    for word, start, end in clip.words:
        margin = min(1.5 / scale, (end - start) / 4)
        axis.plot([start + margin, end - margin], [0.1, 0.1], color=style.SOFT, lw=1.2, solid_capstyle="butt")
        if _extent(word, 7.5) < (end - start) * scale:
            style_of = {"fontsize": 7.5, "ha": "center", "va": "center", "parse_math": False}
            axis.text((start + end) / 2, 0.6, word, clip_on=True, **style_of)


def _sound(sheet: Sheet, x: int, y: int, panel: Panel) -> None:
    """Draw the spectrogram, the opening of the lips, where the face was lost, and when the pictures were taken."""
    axis = sheet.axes(x, y, WIDTH - AXIS, MEL)
    draw_mel(axis, panel.mel, float(panel.mel.max()), panel.clip.n_frames)
    axis.tick_params(labelsize=6.5, pad=2)
    axis.xaxis.set_major_formatter("{x:g} s")
    top = axis.get_ylim()[1]
    for number, (frame, _, _) in enumerate(panel.pictures):
        time = (frame + 0.5) / clocks.FPS
        axis.axvline(time, color=style.PAPER, lw=0.6, ls=(0, (2, 2)), alpha=0.8)
        late = frame > 0.97 * panel.clip.n_frames  # its number stands left of the line
        more: dict[str, Any] = {"va": "top", "ha": "right" if late else "left", "path_effects": _dark_rim()}
        axis.text(time, 0.97 * top, f" {number + 1} ", color=style.PAPER, fontsize=6.5, **more)
    for frame in np.flatnonzero(~panel.track.found):
        axis.axvspan(frame / clocks.FPS, (frame + 1) / clocks.FPS, 0, 0.06, color=FILLED_COLOUR, lw=0)
    draw_lips(axis, lip_opening(panel.track.landmarks))


def _dark_rim() -> list[Any]:
    from matplotlib import patheffects

    return [patheffects.withStroke(linewidth=1.6, foreground=style.INK)]


def _extent(text: str, size: float) -> float:
    """Estimate the width in pixels of text at a font size in points; Chinese characters are square."""
    return sum(1.0 if ord(letter) > 0x2E7F else 0.53 for letter in text) * size * DPI / 72


def fitted(text: str, width: float, size: float) -> str:
    """Cut text with an ellipsis so that it fits `width` pixels at a font size in points."""
    text = " ".join(text.split())
    if _extent(text, size) <= width:
        return text
    while text and _extent(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def save(figure: "Figure", path: Path | str) -> None:
    """Write the sheet as JPEG without dates or versions, atomically; same figure, same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="jpg", dpi=DPI, pil_kwargs={"quality": 85, "subsampling": 0, "optimize": True})
