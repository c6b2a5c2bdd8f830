"""Score any folder of sounds or videos, without a study: what `syncvoice score --generated DIR` does.

Conventions
-----------
A file is known by its path inside its folder without the suffix (`s1/bbaf3s`): generated speech, video, reference and
text of one clip share that name. Generated speech may be sound (WAV, FLAC, OGG, MP3) or video with sound; without a
folder of videos the generated videos are looked at. Expected are all generated files and all texts; with `subset` only
the generated files. Nothing is dropped: what cannot be scored is a row with status `failed` and a message. Sound of
another rate or with several channels is resampled or averaged, and the row says so. A silent sound is a failure (our
choice: no metric means anything there, and error rates count it as all wrong).

Example
-------
The weights of this metric lie inside an installed package; others are looked for in the folder of weights.

>>> import tempfile
>>> import numpy as np
>>> from syncvoice.audio import write_wav
>>> from syncvoice.metrics.scoring import scored
>>> with tempfile.TemporaryDirectory() as name:
...     write_wav(Path(name) / "dubbed" / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
...     folder = Folder.open(Path(name) / "dubbed")
...     scorer = scorer_of("dnsmos.p835", folder.sources(weights=Path("weights")))
...     for row in scored(scorer, folder.work("dnsmos.p835")):
...         print(row["utterance"], row["metric"], row["status"], 1 <= float(row["value"]) <= 5)
a dnsmos_ovrl.p835 ok True
a dnsmos_sig.p835 ok True
a dnsmos_bak.p835 ok True
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.files import files_below
from syncvoice.metrics.folder_sounds import SOUNDS, VIDEOS, match_video, read_utterance
from syncvoice.metrics.folder_texts import read_texts
from syncvoice.metrics.metric import MetricFile
from syncvoice.metrics.registry import ALIASES, METRIC_FILES
from syncvoice.metrics.scorer import (
    LooseClip,
    ScoreError,
    Scorer,
    Sources,
    Utterance,
    load_scorer,
)
from syncvoice.metrics.scoring import Work
from syncvoice.text.grid_grammar import is_sentence
from syncvoice.text_files import same_name

REMEMBER = 2  # clips whose lips a scorer keeps: every clip is asked for once
OFFERED = frozenset(("video", "references"))  # what a folder can give to a scorer beside the speech
MANDARIN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Folder:
    """Files and texts by name; several files of one name are a problem of that name only.

    Attributes:
        names: what is expected, sorted.
        generated, videos, references: name -> files.
        texts: name -> columns of the text file (`text`, maybe `language`, `speaker`, `sex`, `reference`).
        single_reference: one recording for all, or None.
        unused: videos without generated speech; they are counted, not scored.
    """

    names: list[str]
    generated: Mapping[str, list[Path]]
    videos: Mapping[str, list[Path]] | None = None
    texts: Mapping[str, Mapping[str, str]] | None = None
    references: Mapping[str, list[Path]] = field(default_factory=dict)
    single_reference: Path | None = None
    unused: int = 0

    @classmethod
    def open(
        cls,
        generated: Path,
        videos: Path | None = None,
        texts: Path | None = None,
        references: Path | None = None,
        subset: bool = False,
    ) -> "Folder":
        """List the files.

        Args:
            generated: folder of sounds or videos with sound.
            videos: folder of videos.
            texts: see `read_texts`.
            references: folder of recordings, or one recording for all.
            subset: do not expect texts that have no generated file.

        Raises:
            UserError: a folder or file is missing, or there is nothing to score.
        """
        spoken = listed(generated, SOUNDS | VIDEOS)
        seen = listed(videos, VIDEOS) if videos is not None else None
        if seen is None and any(path.suffix.lower() in VIDEOS for paths in spoken.values() for path in paths):
            seen = {name: [p for p in paths if p.suffix.lower() in VIDEOS] for name, paths in spoken.items()}
        written = read_texts(texts) if texts is not None else None
        expected = set(spoken) | (set(written or ()) if not subset else set())
        if not expected:
            raise UserError(f"{generated} holds no sound or video, and there are no texts; nothing can be scored")
        single = references if references is not None and references.is_file() else None
        recorded = listed(references, SOUNDS | VIDEOS) if references is not None and single is None else {}
        unused = len(set(seen or ()) - set(spoken))
        return cls(sorted(expected), spoken, seen, written, recorded, single, unused)

    def sources(self, weights: Path, **settings: Any) -> Sources:
        """What scorers are built from; `settings` are fields of `Sources`.

        Scorers ask for one clip after the other, so only two are remembered.
        """
        clips = {name: LooseClip(name, _only(files)) for name, files in (self.videos or {}).items()}
        recordings = {name: _only(files) for name, files in self.references.items()}
        if self.single_reference is not None:
            recordings = {str(self.single_reference): self.single_reference}
        references = {name: LooseClip(name, audio=path) for name, path in recordings.items() if path is not None}
        return Sources(weights, clips, references, **{"remember": REMEMBER, **settings})

    def row(self, name: str) -> dict[str, str]:
        """Task row of an utterance: language by its script (Chinese characters or not), source grid for its grammar."""
        given = dict((self.texts or {}).get(name, {}))
        text = given.get("text", "")
        reference = given.get("reference") or (str(self.single_reference) if self.single_reference else name)
        return {
            "utterance": name,
            "clip": name,
            "text": text,
            "language": given.get("language") or ("zh" if MANDARIN.search(text) else "en"),
            "speaker": given.get("speaker", ""),
            "sex": given.get("sex", ""),
            "source": "grid" if is_sentence(text) else "",
            "reference": reference,
            "reference_split": "reference",
        }

    def work(self, metric_file: str) -> Iterator[Work]:
        """What there is to score with one metric file, in the order of the names."""
        entry = METRIC_FILES[metric_file]
        for name in self.names:
            row = self.row(name)
            if not row["text"]:  # a missing text is a failure, not a sentence of another kind
                row["source"] = entry.only_source
            yield Work(row, "", partial(self._load, row, entry))

    def _load(self, row: Mapping[str, str], entry: MetricFile) -> Utterance:
        """Read the sound of an utterance and see to it that the scorer finds its other inputs.

        Raises:
            ScoreError: something is missing, doubled or unusable.
        """
        name = row["utterance"]
        sound = one_file(self.generated.get(name, []), "generated file", name)
        if "video" in entry.needs:
            one_file((self.videos or {}).get(name, []), "video", name)
        if "references" in entry.needs and self.single_reference is None:
            one_file(self.references.get(row["reference"], []), "reference recording", row["reference"])
        if is_word_metric(entry) and not row["text"].strip():
            raise ScoreError(f"no text for {name}")
        utterance = read_utterance(sound, row)
        if "video" in entry.needs:
            match_video(utterance, self.videos[name][0] if self.videos else None, sound)
        return utterance


def listed(folder: Path, suffixes: frozenset[str]) -> dict[str, list[Path]]:
    """Files below a folder by name (path without suffix); hidden ones are left out.

    Raises:
        UserError: the folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the folder that holds the files")
    found: dict[str, list[Path]] = {}
    for path in files_below(folder):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            found.setdefault(same_name(path.relative_to(folder).with_suffix("").as_posix()), []).append(path)
    return found


def _only(files: list[Path]) -> Path | None:
    """The file, if there is exactly one."""
    return files[0] if len(files) == 1 else None


def one_file(files: list[Path], kind: str, name: str) -> Path:
    """The only file of a name.

    Raises:
        ScoreError: there is none, or several.
    """
    if not files:
        raise ScoreError(f"no {kind} named {name}")
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise ScoreError(f"{len(files)} {kind}s named {name}: {names}; keep one")
    return files[0]


def is_word_metric(entry: MetricFile) -> bool:
    """Whether a metric file counts words, so that it needs the text."""
    return entry.id.split(".")[0] in ("wer", "cer")


def scorer_of(metric_file: str, sources: Sources) -> Scorer:
    """Load the scorer of a metric file.

    Raises:
        UserError: its weights are missing.
    """
    return load_scorer(METRIC_FILES[metric_file].scorer, sources)


def chosen_files(names: str, folder: Folder, sources: Sources) -> list[str]:
    """Metric files for a list of ids and aliases (`lse,wer,sim,mos`), each once, in the order asked for.

    An alias stands for the first scorer of its list whose weights are there and that suits the texts.

    Raises:
        UserError: a name is unknown, or a metric needs what a folder cannot give.
    """
    chosen: list[str] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name in ALIASES:
            fitting = [file for file in ALIASES[name] if available(METRIC_FILES[file], folder, sources)]
            if not fitting:
                raise UserError(
                    f"no scorer for {name} has its weights here; see config/assets.yaml, or name one by its id"
                )
            name = fitting[0]
        if name not in METRIC_FILES:
            raise UserError(f"metric {name} is unknown; choose {', '.join(ALIASES)} or {', '.join(METRIC_FILES)}")
        _check_inputs(METRIC_FILES[name], folder)
        if name not in chosen:
            chosen.append(name)
    if not chosen:
        raise UserError("--metric names nothing; give for instance lse,wer,sim,mos")
    return chosen


def available(entry: MetricFile, folder: Folder, sources: Sources) -> bool:
    """Whether the weights of a metric file are there and it is made for these texts."""
    if any(sources.find_asset(name) is None for name in entry.assets):
        return False
    if not all(sources.weight_file(name).is_file() for name in entry.weights):
        return False
    return not entry.only_source or all(
        folder.row(name)["source"] == entry.only_source for name in folder.names if (folder.texts or {}).get(name)
    )


def _check_inputs(entry: MetricFile, folder: Folder) -> None:
    """Refuse a metric whose input is missing altogether: that is a wrong command, not a bad clip."""
    lacking = sorted(set(entry.needs) - OFFERED)
    if lacking:
        raise UserError(f"{entry.id} needs {', '.join(lacking)}, which only a study has; score it with --task")
    if "video" in entry.needs and folder.videos is None:
        raise UserError(f"{entry.id} needs videos; give their folder with --videos")
    if "references" in entry.needs and not folder.references and folder.single_reference is None:
        raise UserError(f"{entry.id} needs reference recordings; give a folder or one file with --references")
    if is_word_metric(entry) and folder.texts is None:
        raise UserError(f"{entry.id} needs the scripts; give a table with --texts")
