"""What a study lacks, said before anything runs: folders, speakers, clips, texts, overlapping splits, weights."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from syncvoice.assets import REGISTRY, read_asset, read_registry
from syncvoice.datasets.base import SourceClip, read_dataset
from syncvoice.datasets.card import Card, CardFile
from syncvoice.datasets.lists import write_list
from syncvoice.datasets.settings import Dataset
from syncvoice.errors import UserError
from syncvoice.places import find_path
from syncvoice.study.study import Study
from syncvoice.study.weights import missing_weights

Splits = dict[str, list[SourceClip]]


class Report(NamedTuple):
    """What was found: sentences about what is missing or wrong, and what was counted."""

    problems: list[str]
    counts: list[str]


def check_card(file: CardFile, name: str, root: Path) -> tuple[Report, Splits]:
    """Check a folder against a card alone: every split is there, and no two splits share a clip."""
    dataset = file.datasets[name]
    report, splits = check_dataset(name, dataset, root, file.cards[name])
    pairs = combinations(splits, 2)
    return Report([*report.problems, *_overlaps(name, splits, pairs)], report.counts), splits


def check_study(study: Study, cards: Mapping[str, Card]) -> tuple[Report, dict[str, Splits]]:
    """Check everything that a study reads from outside: data sets, start weights, weights of scorers and features.

    Training must not see a clip that a task dubs, and no task may take its voices from the clips that it dubs, unless
    it says so (`voice_of: target`).
    """
    problems, counts, found = [], [], {}
    for name, dataset in study.datasets.items():
        if dataset.kind == "minidub":
            continue
        report, splits = check_dataset(name, dataset, Path(dataset.path or ""), cards.get(name))
        problems += [*report.problems, *_overlaps(name, splits, _pairs_of(study, name))]
        counts += report.counts
        found[name] = splits
    return Report(problems + missing_weights(study, read_registry(find_path(REGISTRY))), counts), found


def check_dataset(name: str, dataset: Dataset, root: Path, card: Card | None) -> tuple[Report, Splits]:
    """Check one folder: is it there, does it hold the card's speakers, and has every split clips with texts?"""
    if not root.is_dir():
        return Report([_absent(name, dataset, root)], []), {}
    problems, counts, splits = [], [], {}
    for split, entry in dataset.splits.items():
        if entry.perturbed is not None:
            continue  # the workflow makes it from another one
        try:
            selection = entry.selection
            clips = read_dataset(dataset.kind, root, split, name, selection.within)
            splits[split] = selection.pick(clips)
        except UserError as error:
            problems.append(f"{name}, split {split}: {error}")
            continue
        problems += [f"{name}, split {split}: {problem}" for problem in _problems_of(splits[split])]
        speakers = len({clip.speaker for clip in splits[split]})
        counts.append(f"{name}, split {split}: {len(splits[split])} clips of {speakers} speakers")
    if card is not None and splits:
        lists = [entry.selection.speakers for entry in dataset.splits.values() if entry.perturbed is None]
        of_study = None if None in lists else {speaker for speakers in lists for speaker in speakers or ()}
        problems += [f"{name}: {problem}" for problem in _against(card, splits, of_study)]
    return Report(problems, counts), splits


def write_lists(folder: Path, name: str, splits: Splits) -> list[Path]:
    """Write the clips of each split to FOLDER/NAME_SPLIT.txt; `listed` in a split's settings reads such a file."""
    paths = []
    for split, clips in splits.items():
        path = folder / f"{name}_{split}.txt"
        write_list(path, (clip.id for clip in clips), f"{name}, split {split}: {len(clips)} clips")
        paths.append(path)
    return paths


def _absent(name: str, dataset: Dataset, root: Path) -> str:
    """Return the sentence about a folder that is not there."""
    way = f"run 'snakemake {root}.json' with the study to download it, or " if dataset.fetch else ""
    return (
        f"{name}: folder {root} does not exist; {way}say where it lies with '--config {name}_root=FOLDER' "
        "(its card in config/datasets says how to get it)"
    )


def _problems_of(clips: list[SourceClip]) -> list[str]:
    """Return what is wrong with the clips of a split."""
    if not clips:
        return ["no clip; check the folder, and the split's settings in the study"]
    problems = []
    for what, bad in (
        ("have no text and would be excluded", [clip.id for clip in clips if not clip.text.strip()]),
        ("have no file", [str(clip.media) for clip in clips if not clip.media.is_file()]),
        ("share an id with another", [id for id, count in Counter(clip.id for clip in clips).items() if count > 1]),
    ):
        if bad:
            problems.append(f"{len(bad)} of {len(clips)} clips {what}, the first is {bad[0]!r}")
    return problems


def _against(card: Card, splits: Splits, chosen: set[str] | None) -> list[str]:
    """Return how the clips of all splits differ from what the card expects.

    A study of `chosen` speakers needs no others, and how many clips of each is its own affair.
    """
    clips = {clip.id: clip for split in splits.values() for clip in split}.values()
    counts = Counter(clip.speaker for clip in clips)
    checks = card.checks
    problems = []
    wanted = [speaker for speaker in checks.speakers if chosen is None or speaker in chosen]
    if missing := [speaker for speaker in wanted if speaker not in counts]:
        problems.append(f"{len(missing)} of {len(wanted)} speakers are missing: {', '.join(missing)}")
    if extra := [speaker for speaker in checks.absent if speaker in counts]:
        problems.append(f"speaker {', '.join(extra)} is there, which the published data lack; is it another edition?")
    few = [speaker for speaker, count in counts.items() if count < checks.clips_per_speaker]
    if few and chosen is None:
        problems.append(
            f"speakers {', '.join(sorted(few))} have fewer than {checks.clips_per_speaker} clips; fetch them again"
        )
    if checks.words and (untimed := [clip.id for clip in clips if not clip.words]):
        problems.append(f"{len(untimed)} clips have no word times, the first is {untimed[0]!r}; add the .align files")
    return problems


def _pairs_of(study: Study, dataset: str) -> list[tuple[str, str]]:
    """Return the pairs of splits of a data set that must share no clip."""
    tasks = [task for task in study.tasks.values() if task.dataset == dataset]
    pairs = {(task.split, task.reference_split) for task in tasks if task.voice_of != "target"}
    trained = {recipe.split for recipe in study.recipes.values() if recipe.dataset == dataset}
    pairs |= {(split, task.split) for split in trained for task in tasks}
    return sorted(pairs)


def _overlaps(name: str, splits: Splits, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return a sentence for every pair of splits that share clips."""
    problems = []
    for first, second in pairs:
        shared = {clip.id for clip in splits.get(first, [])} & {clip.id for clip in splits.get(second, [])}
        if shared:
            problems.append(
                f"{name}: splits {first} and {second} share {len(shared)} clips, for example {min(shared)!r}; they "
                "must share none"
            )
    return problems


def _is_asset(network: str) -> bool:
    """Tell whether a network is a published file of config/assets.yaml; others come inside packages."""
    try:
        return bool(network) and bool(read_asset(network))
    except UserError:
        return False
