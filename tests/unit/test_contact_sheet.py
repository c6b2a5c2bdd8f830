"""The contact sheet of a split: what it shows, where, and that it says what is missing."""

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.records.clips import Clip, Excluded, write_excluded, write_manifest
from syncvoice.reporting import contact_sheet as sheets
from syncvoice.reporting.mel_picture import LEFT_EYE, LOWER_LIP, RIGHT_EYE, UPPER_LIP
from syncvoice.video.crop import encode_jpeg
from syncvoice.video.mesh_points import FACE_OVAL
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import Track
from tests.unit.clip_files import blank_frames, clicks, write_video

N = 30
SIZE = 128
BOX = np.array([24, 24, 104, 104], np.float32)


def landmarks_of(opening: np.ndarray) -> np.ndarray:
    """(frames, 478, 3): an oval of radius 30 around (64, 64), lips between (50, 80) and (78, 90), eyes 40 px apart."""
    points = np.full((len(opening), 478, 3), 64.0, np.float32)
    angles = np.linspace(0, 2 * np.pi, len(FACE_OVAL), endpoint=False)
    points[:, list(FACE_OVAL), 0] = 64 + 30 * np.sin(angles)
    points[:, list(FACE_OVAL), 1] = 64 - 30 * np.cos(angles)
    for ring in sheets.LIPS:
        angles = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        points[:, list(ring), 0] = 64 - 14 * np.cos(angles)
        points[:, list(ring), 1] = 85 - 5 * np.sin(angles)
    points[:, RIGHT_EYE, :2], points[:, LEFT_EYE, :2] = (44, 50), (84, 50)
    points[:, UPPER_LIP, :2], points[:, LOWER_LIP, 0] = (64, 82), 64
    points[:, LOWER_LIP, 1] = 82 + opening
    return points


def make_clip(folder: Path, name: str, speaker: str = "s1", found: np.ndarray | None = None, **more: object) -> Clip:
    """Write video, sound and track of a clip whose lips open in frame 20 and are shut in frames 10 to 14."""
    opening = np.array([3.0] * 10 + [0.0] * 5 + [3.0] * 5 + [9.0] + [3.0] * 9)
    track = Track(landmarks_of(opening), np.ones(N, bool) if found is None else found, np.repeat(BOX[None], N, 0))
    mouth = [encode_jpeg(np.full((96, 96), 8 * k, np.uint8)) for k in range(N)]
    path = folder / f"{name}.h5"
    with TrackWriter(path) as writer:
        writer.add(name, track, mouth, [encode_jpeg(np.zeros((112, 112, 3), np.uint8))] * N)
    video = write_video(folder / f"{name}.mkv", blank_frames(N, SIZE), None)
    write_wav(folder / f"{name}.wav", clicks(N * 960, at=(9600,)), 24_000)
    about = {"split": "test", "dataset": "d", "sex": "", "voice_seen": "", "language": "en", "source": "", **more}
    fields = {"text": "bin blue", **about}
    return Clip(id=name, speaker=speaker, video=video, audio=folder / f"{name}.wav", n_frames=N, track=path, **fields)


def texts(figure: object) -> str:
    """Everything written on a sheet."""
    return "\n".join(text.get_text() for text in figure.texts)


def jpeg(figure: object, path: Path) -> np.ndarray:
    sheets.save(figure, path)
    return np.asarray(Image.open(path)).astype(int)


def is_colour(image: np.ndarray, colour: str) -> np.ndarray:
    return (np.abs(image.astype(int) - sheets._rgb(colour)).max(-1) < 60) & (image.max(-1) > 40)


def extent(mask: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1], rows[-1]]


def plain_clip(name: str, speaker: str, track: str | None = "t.h5") -> Clip:
    about = dict.fromkeys(("split", "dataset", "sex", "voice_seen", "language", "source", "text"), "")
    return Clip(
        id=name, speaker=speaker, video=track and Path("v"), audio=Path("a"), n_frames=N, track=track and Path(track),
        **about,
    )  # fmt: skip


def test_sample_is_spread_over_speakers_and_the_same_in_any_order() -> None:
    clips = [plain_clip(f"{speaker}_{k}", speaker) for speaker in ("a", "b", "c") for k in range(5)]
    chosen = sheets.sample(clips, 7)
    assert [sum(clip.speaker == speaker for clip in chosen) for speaker in "abc"] == [3, 2, 2]
    assert chosen == sheets.sample(clips[::-1], 7)
    assert [clip.id for clip in chosen] == sorted(clip.id for clip in chosen)
    many = [plain_clip(f"c{k:02d}", f"s{k:02d}") for k in range(21)]
    assert [clip.speaker for clip in sheets.sample(many, 3)] == ["s00", "s10", "s20"]
    assert sheets.sample([plain_clip("sound", "a", track=None)], 3) == []


def test_moments_show_lips_widest_and_narrow_and_a_lost_frame() -> None:
    opening = np.array([0.0] * 10 + [0.2, 0.0, 0.1, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    found = np.ones(20, bool)
    assert sheets.moments(opening, found) == {10: "middle", 11: "lips narrow", 13: "lips widest"}
    found[4:6] = False
    assert sheets.moments(opening, found)[4] == "face lost, filled"
    assert len(sheets.moments(np.zeros(12), np.ones(12, bool))) == 3


@pytest.mark.parametrize("found", [True, False])
def test_landmarks_are_drawn_where_they_are(found: bool) -> None:
    points = landmarks_of(np.zeros(1))[0]
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture = sheets.close_up(frame, points, BOX, found, 300)
    scale = 300 / (80 * (1 + 2 * sheets.BOX_MARGIN))
    left = 24 - 80 * sheets.BOX_MARGIN  # of the close-up, in pixels of the frame
    if found:
        wanted = (np.array([50, 80, 78, 90]) - left) * scale
        assert np.abs(extent(is_colour(picture, sheets.LIP_COLOUR)) - wanted).max() <= 2
        wanted = (np.array([34, 34, 94, 94]) - left) * scale
        assert np.abs(extent(is_colour(picture, sheets.OUTLINE_COLOUR)) - wanted).max() <= 2
    else:
        assert not is_colour(picture, sheets.LIP_COLOUR).any()
        wanted = (np.array([34, 34, 94, 94]) - left) * scale
        assert np.abs(extent(is_colour(picture, sheets.FILLED_COLOUR)) - wanted).max() <= 2
    wanted = (np.array([24, 24, 104, 104]) - left) * scale
    assert np.abs(extent(is_colour(picture, sheets.BOX_COLOUR)) - wanted).max() <= 2


def test_whole_frame_keeps_its_shape_and_its_landmarks() -> None:
    frame = np.zeros((SIZE, 2 * SIZE, 3), np.uint8)
    picture = sheets.whole(frame, landmarks_of(np.zeros(1))[0], BOX, True, (384, 500))
    assert picture.shape == (192, 384, 3)
    assert np.abs(extent(is_colour(picture, sheets.LIP_COLOUR)) - 1.5 * np.array([50, 80, 78, 90])).max() <= 2


def test_sheet_shows_each_clip_at_its_place(tmp_path: Path) -> None:
    clips = [make_clip(tmp_path, f"c{k}", speaker=f"s{k}") for k in range(3)]
    figure = sheets.contact_sheet("d, split test", clips, [])
    image = jpeg(figure, tmp_path / "one.jpg")
    rows = 2
    assert image.shape == (
        sheets.HEAD + rows * (sheets.HEIGHT + sheets.BETWEEN // 2) + sheets.MARGIN // 2, sheets.SHEET_WIDTH, 3,
    )  # fmt: skip
    panel = sheets.load_panel(clips[0])
    assert [number for number, _, _ in panel.pictures] == [0, 14, 15, 20]
    y = sheets.HEAD + sheets.CAPTION
    for column in range(3):
        x = sheets.MARGIN + sheets.WHOLE + sheets.GAP + column * (sheets.CLOSE_UP + sheets.GAP)
        shown = image[y : y + sheets.CLOSE_UP, x : x + sheets.CLOSE_UP]
        assert np.abs(shown - panel.pictures[column + 1][2]).mean() < 2
    y += sheets.CLOSE_UP + sheets.LABEL
    x = sheets.MARGIN + sheets.AXIS + sheets.MOUTH // 2 + np.arange(sheets.N_MOUTHS) * sheets.MOUTH
    frames = ((np.arange(sheets.N_MOUTHS) + 0.5) / sheets.N_MOUTHS * N).astype(int)
    assert np.abs(image[y + sheets.MOUTH // 2, x, 0] - 8 * frames).max() <= 4  # each over its own time
    for words in ("d, split test", "3 clips accepted", "none excluded", "c1", "speaker s2", "face in 30 of 30 frames"):
        assert words in texts(figure)


def test_same_inputs_same_bytes_and_no_trace_of_the_machine(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, "c")
    for name in ("a.jpg", "b.jpg"):
        sheets.save(sheets.contact_sheet("t", [clip], []), tmp_path / name)
    data = (tmp_path / "a.jpg").read_bytes()
    assert data == (tmp_path / "b.jpg").read_bytes()
    assert not Image.open(io.BytesIO(data)).getexif() and str(tmp_path).encode() not in data


def test_lost_frames_are_marked(tmp_path: Path) -> None:
    found = np.ones(N, bool)
    found[5:8] = False
    whole = sheets.contact_sheet("t", [make_clip(tmp_path, "whole")], [])
    figure = sheets.contact_sheet("t", [make_clip(tmp_path, "lost", found=found)], [])
    assert "0.20 s, face lost, filled" in texts(figure) and "face in 27 of 30 frames" in texts(figure)
    marked = is_colour(jpeg(figure, tmp_path / "lost.jpg")[sheets.HEAD :], sheets.FILLED_COLOUR).sum()
    assert marked > 300 + is_colour(jpeg(whole, tmp_path / "whole.jpg")[sheets.HEAD :], sheets.FILLED_COLOUR).sum()


def test_split_without_accepted_clips_says_so(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.cuts.jsonl.gz", [])
    rows = [Excluded(f"c{k}", f"c{k}.mp4", "no_face", "no face found in any frame") for k in range(3)]
    write_excluded(tmp_path / "e.csv", [*rows, Excluded("q", "q.mp4", "two_faces", "more than one face in frame 3")])
    arguments = ["contact-sheet", "--manifest", tmp_path / "m.cuts.jsonl.gz", "--excluded", tmp_path / "e.csv"]
    assert main([*map(str, arguments), "--title", "d, split test", "--out", str(tmp_path / "s.jpg")]) == 0
    width, height = Image.open(tmp_path / "s.jpg").size
    assert width == sheets.SHEET_WIDTH and 200 < height < sheets.HEIGHT
    figure = sheets.contact_sheet("t", [], [*rows, Excluded("q", "q.mp4", "two_faces", "more than one face")])
    written = [text.get_text() for text in figure.texts]
    assert "Nothing to show: no clip was accepted." in written and "0 clips accepted" in texts(figure)
    assert written.index("3") + 1 == written.index("no_face") and written.index("1") + 1 == written.index("two_faces")
    assert "c0: no face found in any frame" in written
    assert "sound only" in texts(sheets.contact_sheet("t", [plain_clip("a", "s", track=None)], []))


def test_chinese_text_renders(tmp_path: Path) -> None:
    clip = replace(
        make_clip(tmp_path, "c", language="zh"),
        text="今天的天气很好",
        translation_text="你需要五个旧盒子",
        words=(("今天", 0.2, 0.6), ("天气", 0.7, 1.0)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that no font has is a warning
        image = jpeg(sheets.contact_sheet("数据", [clip], []), tmp_path / "zh.jpg")
    plain = jpeg(sheets.contact_sheet("", [replace(clip, text="", translation_text="")], []), tmp_path / "plain.jpg")
    y, x = sheets.HEAD + 27, sheets.MARGIN
    caption, empty = (picture[y : y + 30, x : x + 160] for picture in (image, plain))
    assert (caption < 128).all(-1).mean() > 0.1 and (empty > 200).all()


def test_missing_video_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path, "c")
    write_manifest(tmp_path / "m.cuts.jsonl.gz", [clip])
    clip.video.unlink()
    arguments = ["contact-sheet", "--manifest", str(tmp_path / "m.cuts.jsonl.gz"), "--out", str(tmp_path / "s.jpg")]
    assert main(arguments) == 2
    assert "clip 'c'" in capsys.readouterr().err and not (tmp_path / "s.jpg").exists()


def test_long_text_is_cut_to_its_place() -> None:
    short = sheets.fitted("word " * 100, 400, 9)
    assert short.endswith("…") and sheets._extent(short, 9) <= 400 < sheets._extent("word " * 100, 9)
    assert sheets.fitted("a  b", 400, 9) == "a b"


def test_sheet_says_when_the_face_was_chosen_from_several(tmp_path: Path) -> None:
    clip = make_clip(tmp_path, "c")
    assert "chosen from" not in texts(sheets.contact_sheet("t", [clip], []))
    several = replace(clip, face_rule="speaking", n_faces=2)
    assert "chosen from 2 faces" in texts(sheets.contact_sheet("t", [several], []))
