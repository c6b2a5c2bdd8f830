import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from fake_study import build_study, columns, task_rows

from syncvoice import cli
from syncvoice.audio import write_wav
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.reporting import gallery
from syncvoice.reporting.scores import read_task
from syncvoice.reporting.settings import GalleryJob, GalleryTask
from syncvoice.section import read_settings

RECORDED = {"experiment": "ground_truth", "group": "reference", "original": True}
ROWS = {"en_en": [RECORDED, "M1", "M3"], "en_zh": ["M2", "M4"]}
METRICS = {"en_en": ["lse_d.syncnet_mini", "wer.ctc_mini"], "en_zh": ["cer.ctc_mini"]}
COLUMNS = columns([*METRICS["en_en"], *METRICS["en_zh"]])
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Count tags and attributes, and check that tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_study(tmp_path_factory.mktemp("study"), n=12, media=2)


def settings_file(study: Path, **changes) -> Path:
    tasks = [{"task": task, "title": f"Task {task}", "rows": ROWS[task], "metrics": METRICS[task]} for task in ROWS]
    write_json(
        study / "gallery.json",
        {
            "title": "Clips & rows",
            "study": "test",
            "tasks": tasks,
            "columns": COLUMNS,
            "synthetic_datasets": ["minidub"],
            **changes,
        },
    )
    return study / "gallery.json"


def build(study: Path, **changes) -> str:
    return gallery.build_page(read_settings(settings_file(study, **changes), GalleryJob), study)


def test_one_video_per_row_and_clip(study: Path) -> None:
    page = Page(build(study))
    assert not page.open
    videos = page.all("video")
    assert len(videos) == 2 * 3 + 2 * 2
    assert all(video["src"].startswith("data:video/mp4;base64,") for video in videos)
    labels = [video["aria-label"] for video in videos]
    assert len(set(labels)) == len(labels) and "M4, clip en_zh_001" in labels
    assert len(page.all("button")) == 4


def test_the_reference_voice_can_be_heard(study: Path) -> None:
    job = read_settings(settings_file(study), GalleryJob)
    lines = read_task(study / "tasks" / "en_en.csv").to_dict("records")
    write_wav(study / "voice.wav", np.random.default_rng(0).normal(0, 0.1, 12 * 24_000), 24_000)
    text = gallery.build_page(job, study, {lines[0]["reference"]: study / "voice.wav"})
    page = Page(text)
    assert not page.open and page.all("audio")
    for player in page.all("audio"):
        assert player["aria-label"].startswith("reference voice of clip")
        kind, _, data = player["src"].partition(";base64,")
        sound, rate = soundfile.read(BytesIO(base64.b64decode(data)))
        assert kind == "data:audio/flac" and len(sound) == gallery.MOST_REFERENCE_S * rate
    assert text == gallery.build_page(job, study, {lines[0]["reference"]: study / "voice.wav"})
    assert not Page(build(study)).all("audio")


def test_recordings_of_a_real_data_set_are_not_called_synthetic(study: Path) -> None:
    text = build(study, synthetic_datasets=[])
    assert text.count('<span class="label original">original</span>') == 2
    assert "itself synthetic" not in text


def test_a_phone_shows_rows_side_by_side_and_no_keys(study: Path) -> None:
    style = build(study).partition("<style>")[2].partition("</style>")[0]
    phone = style.partition("@media (max-width: 640px)")[2]
    assert ".keys { display: none; }" in phone and "overflow-x: auto" in phone
    share = int(re.search(r"\.rows figure { flex: 0 0 (\d+)%", phone).group(1))
    assert share < 50  # two rows and the edge of a third


def test_nothing_is_loaded_from_elsewhere(study: Path) -> None:
    text = build(study)
    assert not re.search(r"https?://|//[a-z]+\.", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    page = Page(text)
    assert not page.all("link") and not page.all("img")
    assert all("src" not in script for script in page.all("script"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy
    assert str(study) not in text


def test_labels_texts_voices_and_values(study: Path) -> None:
    text = build(study)
    assert text.count('class="label">synthetic speech<') == 2 * 2 + 2 * 2
    assert text.count("original, itself synthetic") == 2
    assert "place blue at a nine soon" in text and '<h3 lang="zh">今天的天气很好，我们去公园散步。</h3>' in text
    assert "voice voice_0, seen in training" in text and "1.0 s" in text
    assert "only with that person" in text and "Clips &amp; rows" in text
    scores = pd.read_csv(study / "metrics" / "M3" / "en_en" / "lse.syncnet_mini.csv")
    value = scores[(scores.utterance == "en_en_001") & (scores.metric == "lse_d.syncnet_mini")].value.iloc[0]
    assert f"<dd>{value:.2f}</dd>" in text and "%</dd>" in text


def test_page_is_the_same_twice_through_the_command(study: Path) -> None:
    settings = settings_file(study)
    for name in ("a.html", "b.html"):
        arguments = ["gallery", "--settings", settings, "--study-root", study, "--out", study / name]
        assert cli.main([str(argument) for argument in arguments]) == 0
    assert (study / "a.html").read_bytes() == (study / "b.html").read_bytes()


def test_a_missing_video_is_said_and_failed_values_too(study: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "study"
    shutil.copytree(study, copy)
    (copy / "videos" / "M3" / "en_en" / "en_en_001.mp4").unlink()
    path = copy / "metrics" / "M3" / "en_en" / "lse.syncnet_mini.csv"
    scores = pd.read_csv(path)
    chosen = (scores.utterance == "en_en_001") & (scores.metric == "lse_d.syncnet_mini")
    scores.loc[chosen, ["status", "value"]] = ["failed", None]
    scores.to_csv(path, index=False)
    text = build(copy)
    assert text.count("<video") == 9 and text.count('<div class="missing">') == 1 and "<dd>failed</dd>" in text


def test_a_page_that_grows_too_large_leaves_clips_out_and_says_so(study: Path) -> None:
    full = len(build(study)) / 1e6
    text = build(study, max_megabytes=full - 0.01)
    assert text.count("<video") < 10 and "1 more clips were left out" in text
    with pytest.raises(UserError, match="max_megabytes"):
        build(study, max_megabytes=0.001)


def test_clips_are_spread_over_groups_and_voices_and_do_not_depend_on_order() -> None:
    task = pd.DataFrame(task_rows("en_en", 30))
    chosen = gallery.choose_clips(task, 6, "en_en")
    lines = task[task.utterance.isin(chosen)]
    assert lines.voice_seen.value_counts().to_dict() == {"yes": 3, "no": 3}
    assert lines.speaker.nunique() == 5  # three seen voices, and both unseen ones
    assert chosen == sorted(chosen)
    shuffled = task.sample(frac=1, random_state=0)
    assert sorted(gallery.choose_clips(shuffled, 6, "en_en")) == chosen
    seen = task[task.voice_seen == "yes"]
    assert len(gallery.choose_clips(seen, 6, "en_en")) == 6
    assert len(gallery.choose_clips(task, 100, "en_en")) == 30


def test_fixed_utterances_and_wrong_ones(study: Path) -> None:
    task = {"task": "en_en", "rows": ["M1"], "utterances": ["en_en_001"]}
    assert build(study, tasks=[task]).count("<video") == 1
    with pytest.raises(UserError, match="nobody is not in task en_en"):
        build(study, tasks=[{**task, "utterances": ["nobody"]}])
    with pytest.raises(UserError, match="has a video"):
        build(study, tasks=[{"task": "en_en", "rows": ["guidance_sweep"]}])


def test_font_holds_only_what_the_page_needs() -> None:
    from fontTools.ttLib import TTFont

    font = TTFont(BytesIO(base64.b64decode(gallery.embedded_font("天气 abc"))))
    assert set(font.getBestCmap()) == {0x20, ord("天"), ord("气")}


def test_values_beyond_a_threshold_are_flagged(study: Path) -> None:
    def page_with(**flags: float) -> str:
        task = {"task": "en_en", "rows": ROWS["en_en"], "metrics": METRICS["en_en"], "flags": flags}
        return build(study, tasks=[task])

    assert "Flagged." not in page_with()
    nothing = page_with(**{"lse_d.syncnet_mini": 1e6})
    assert "no row." in nothing and 'class="label flag"' not in nothing
    everything = page_with(**{"lse_d.syncnet_mini": 0.0})
    assert everything.count('class="label flag"') == 2 * 3
    assert "M3 (12 of 12 clips)" in everything


def test_a_flag_is_of_a_metric_that_is_shown() -> None:
    with pytest.raises(ValueError, match=r"flags names wer\.ctc_mini"):
        GalleryTask(caption="c", rows=["M1"], metrics=["lse_d.syncnet_mini"], flags={"wer.ctc_mini": 1.0}, clips=2)
