"""One self-contained HTML page for a listening test, and the plan that says what each of its items was.

Four kinds of items: naturalness (MOS-N, 1 to 5), similarity of the voice to the reference recording (MOS-S, 1 to 5),
preference between two rows (A/B, with the dubbed videos where there are some), and checks: a voice asks for a certain
answer, so that somebody who does not listen is found. Every participant judges the same items in an order (and with
sides) of their own, which follows from their code alone. Rows are hidden: the page holds opaque names, the plan stays
with the person who runs the test. Clips are chosen by name, never by score. Scales and checks are our choice; the paper
names MOS-N and MOS-S only.
"""

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.audio import read_wav, resample
from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.records.speech import read_speech
from syncvoice.reporting.gallery import ASSETS, choose_clips, page_head
from syncvoice.reporting.scores import read_task
from syncvoice.reporting.settings import ListeningTestJob
from syncvoice.seeding import rng
from syncvoice.text.language import LANGUAGES

FORMAT = "syncvoice listening test 1"
KINDS = ("naturalness", "similarity", "preference", "check")
CHECK_TEXTS = {
    "en": "This is a check. Please choose number {}.",
    "zh": "这是一个检查，请选择{}。",
}
NUMBERS = {"en": ("one", "two", "three", "four", "five"), "zh": ("一", "二", "三", "四", "五")}
ESPEAK_HZ = 22_050


@dataclass(frozen=True)
class Item:
    """One item of the plan.

    Attributes:
        id: opaque name on the page.
        kind: one of `KINDS`.
        row: experiment that is judged ("" for a check); of a pair, the first sound.
        other: second row of a pair, "" otherwise.
        utterance: clip.
        sounds: names of the page's sounds, in the order of `row`, `other` (similarity: reference, row).
        expected: right answer of a check, None otherwise.
    """

    id: str
    kind: str
    row: str
    other: str
    utterance: str
    sounds: tuple[str, ...]
    expected: int | None = None


class _Sounds:
    """The page's sounds by opaque name; the same sound stands there once."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}

    def add(self, content: bytes, kind: str) -> str:
        """Take in a file of a media type; return its name."""
        name = hashlib.sha256(content).hexdigest()[:12]
        self.data[name] = f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return name

    def add_wave(self, audio: np.ndarray) -> str:
        """Take in mono sound at 24 kHz, as FLAC (no loss)."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, np.clip(audio, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        return self.add(buffer.getvalue(), "audio/flac")


def make_test(
    settings: ListeningTestJob, study_root: Path | str, references: Mapping[str, Path]
) -> tuple[str, dict[str, Any]]:
    """Make the page and its plan.

    Args:
        settings: rows, clips, pairs and checks.
        study_root: results/{study}, with tasks/, speech/ and, for pairs, videos/.
        references: reference recording -> sound file.

    Returns:
        The HTML text, and the plan as a JSON-ready value.

    Raises:
        UserError: no clip has the speech of all rows, or the page would grow too large.
    """
    root = Path(study_root)
    task = read_task(root / "tasks" / f"{settings.task}.csv")
    rows = [row.experiment for row in settings.rows]
    speech = {row: _speech(root / "speech" / row / settings.task) for row in rows}
    complete = task["utterance"].isin(set.intersection(*(set(files) for files in speech.values())))
    complete &= task["reference"].isin(set(references))
    if not complete.any():
        raise UserError(
            f"listening test: no clip of task {settings.task} has speech in every row ({', '.join(rows)}) and "
            "a reference recording; generate them, or name fewer rows"
        )
    chosen = choose_clips(task[complete], settings.clips, settings.task)
    lines = {line["utterance"]: line for line in task.to_dict("records")}
    sounds = _Sounds()
    items = _rated(settings, chosen, speech, {name: references[lines[name]["reference"]] for name in chosen}, sounds)
    items += _pairs(settings, chosen, speech, root, sounds)
    items += _checks(settings, str(task["language"].iloc[0]), sounds)
    test_id = hashlib.sha256(json.dumps([item.__dict__ for item in items], sort_keys=True).encode()).hexdigest()[:16]
    plan = {
        "format": FORMAT,
        "test": test_id,
        "task": settings.task,
        "rows": {row.experiment: row.caption for row in settings.rows},
        "baseline": settings.baseline,
        "clips": chosen,
        "items": [item.__dict__ for item in items],
    }
    page = _page(settings, test_id, items, sounds)
    if len(page) > settings.max_megabytes * 1e6:
        raise UserError(
            f"listening test: the page would take {len(page) / 1e6:.1f} MB, more than max_megabytes "
            f"{settings.max_megabytes:g}; name fewer clips, rows or pairs, or raise it"
        )
    return page, plan


def _speech(folder: Path) -> dict[str, Path]:
    """Sound files of a row's generated utterances (no sweeps)."""
    made = {
        row["utterance"]: folder / row["wav"]
        for row in read_speech(folder)
        if row["status"] == "ok" and not row["point"]
    }
    return {name: path for name, path in made.items() if path.is_file()}


def _name(settings: ListeningTestJob, *keys: object) -> str:
    """Opaque name of an item."""
    text = "\x1f".join(map(str, (settings.seed, settings.task, *keys)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _rated(
    settings: ListeningTestJob,
    clips: Sequence[str],
    speech: Mapping[str, Mapping[str, Path]],
    references: Mapping[str, Path],
    sounds: _Sounds,
) -> list[Item]:
    """Items with a scale: naturalness of every row and clip, similarity to the reference."""
    items = []
    for clip in clips:
        reference = sounds.add_wave(read_wav(references[clip], SAMPLE_RATE)[0])
        for row in (row.experiment for row in settings.rows):
            sound = sounds.add_wave(read_wav(speech[row][clip], SAMPLE_RATE)[0])
            for kind, heard in (("naturalness", (sound,)), ("similarity", (reference, sound))):
                items.append(Item(_name(settings, kind, row, clip), kind, row, "", clip, heard))
    return items


def _pairs(
    settings: ListeningTestJob,
    clips: Sequence[str],
    speech: Mapping[str, Mapping[str, Path]],
    root: Path,
    sounds: _Sounds,
) -> list[Item]:
    """Items that compare two rows: the dubbed videos if both are there, else the sounds."""
    items = []
    for first, second in settings.pairs:
        for clip in clips:
            videos = [root / "videos" / row / settings.task / f"{clip}.mp4" for row in (first, second)]
            if all(path.is_file() for path in videos):
                heard = tuple(sounds.add(path.read_bytes(), "video/mp4") for path in videos)
            else:
                waves = (read_wav(speech[row][clip], SAMPLE_RATE)[0] for row in (first, second))
                heard = tuple(sounds.add_wave(wave) for wave in waves)
            items.append(
                Item(_name(settings, "preference", first, second, clip), "preference", first, second, clip, heard)
            )
    return items


def _checks(settings: ListeningTestJob, language: str, sounds: _Sounds) -> list[Item]:
    """Items whose right answer is spoken; the answers differ from check to check as far as they can."""
    from syncvoice.text import espeak

    order = rng(settings.seed, "checks", settings.task).permutation(5)
    items = []
    for number in range(settings.checks):
        answer = int(order[number % 5])
        text = CHECK_TEXTS[language].format(NUMBERS[language][answer])
        raw = espeak.engine().synthesise(text, LANGUAGES[language].espeak, 150).audio
        sound = sounds.add_wave(resample(raw.astype(np.float32) / 32768, ESPEAK_HZ, SAMPLE_RATE))
        items.append(Item(_name(settings, "check", number), "check", "", "", "", (sound,), answer + 1))
    return items


def _page(settings: ListeningTestJob, test_id: str, items: Sequence[Item], sounds: _Sounds) -> str:
    """Return the page as HTML; neither rows nor right answers stand in it."""
    content = {
        "format": FORMAT,
        "id": test_id,
        "name": settings.study or "listening-test",
        "items": [{"id": item.id, "kind": item.kind, "sounds": item.sounds} for item in items],
        "sounds": sounds.data,
    }
    data = json.dumps(content, sort_keys=True).replace("</", "<\\/")
    style = (ASSETS / "listening_test.css").read_text(encoding="utf-8")
    script = (ASSETS / "listening_test.js").read_text(encoding="utf-8")
    minutes = max(1, round(len(items) * 12 / 60))  # a clip of 3 s, heard and judged, takes about 12 s (our guess)
    return f"""{page_head(settings.heading, style)}<body>
<header class="bar" id="bar" hidden><div>
<div class="line"><strong id="part"></strong><span id="count"></span></div>
<progress id="progress" value="0" max="1" aria-label="Progress"></progress>
</div></header>
<main>
<form class="card" id="intro">
<h1>{escape(settings.heading)}</h1>
<p>You will hear short pieces of speech and say how you find them: {len(items)} items, about {minutes} minutes.</p>
<ul>
<li>Please use headphones in a quiet place.</li>
<li>Listen to each sound to its end; you may repeat it as often as you like.</li>
<li>There are no right answers, except where the voice itself asks for a certain one.</li>
<li>You can stop and continue later in this browser with the same code.</li>
</ul>
<p class="notice"><strong>Synthetic speech.</strong> Most of what you hear was made by a machine. This page sends
nothing anywhere: your answers stay in this browser until you download them at the end.</p>
<label class="field" for="participant">Your code <span class="soft">(as you were given it; no name)</span></label>
<input type="text" id="participant" required maxlength="40" autocomplete="off" spellcheck="false">
<div class="next"><span></span><button class="main" type="submit" id="start">Start</button></div>
</form>
<section class="card" id="item" hidden>
<h2 id="question" tabindex="-1" aria-live="polite"></h2>
<p class="soft" id="hint"></p>
<div class="players" id="players"></div>
<fieldset id="answers"><legend>Your answer</legend><div class="scale" id="scale"></div></fieldset>
<div class="next"><span class="soft" id="wait" role="status"></span>
<button class="main" type="button" id="next">Next</button></div>
</section>
<p class="keys" id="keys" hidden><kbd>space</kbd> play or pause &nbsp; <kbd id="range">1–5</kbd> answer &nbsp;
<kbd>Enter</kbd> next</p>
<section class="card" id="end" hidden>
<h1>Thank you!</h1>
<p>Please download your answers and send the file to the person who gave you this page.</p>
<p><a class="button" id="download" href="#">Download answers</a></p>
<details><summary>If the download does not work</summary>
<p class="soft">Copy this text into a file instead:</p><textarea id="text" readonly></textarea></details>
</section>
</main>
<script type="application/json" id="test">{data}</script>
<script>
{script}</script>
</body>
</html>
"""
