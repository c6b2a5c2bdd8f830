"""What works on this machine, for a study or for none: device, memory, disk, codecs, packages, weights, anchors."""

import csv
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from syncvoice.assets import UNVERIFIED, Asset
from syncvoice.device import device_kind, resolve_precision
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.section import Section
from syncvoice.study.study import Study
from syncvoice.study.weights import weights_wanted

GIB = 1 << 30
NEEDED_MEMORY = 6 * GIB  # what the largest job of the workflow asks for at its first attempt
NEEDED_DISK = 10 * GIB  # our choice: below it a study is likely to stop half-way
TOLERANCE = 0.1  # share of an anchor by which ground truth may differ from it (our choice)
CODECS = (("h264", "r"), ("hevc", "r"), ("vp9", "r"), ("aac", "r"), ("opus", "r"), ("libx264", "w"), ("aac", "w"))
PACKAGES = ("mediapipe", "espeakng_loader", "pocketsphinx", "onnxruntime", "whisper")


class Finding(NamedTuple):
    """One line of the table: what was looked at, "ok" | "note" | "missing" | "wrong", and what was found."""

    what: str
    state: str
    found: str


class Anchor(Section):
    """A published score of the recordings of a data set."""

    dataset: str
    metric: str
    value: float
    source: str


def read_anchors(path: Path) -> list[Anchor]:
    """Read config/anchors.yaml."""
    import yaml

    return TypeAdapter(list[Anchor]).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


def of_machine(asked: str | None = None) -> Iterator[Finding]:
    """Yield what this machine has; `asked` is the study's device."""
    yield _device(asked)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield _at_least("memory", memory, NEEDED_MEMORY)
    yield _at_least("disk", shutil.disk_usage(".").free, NEEDED_DISK)
    yield _codecs()
    for package in PACKAGES:
        there = importlib.util.find_spec(package) is not None
        yield Finding(
            f"package {package}", "ok" if there else "missing", "installed" if there else "see README, Install"
        )


def of_study(study: Study, registry: Mapping[str, Asset], anchors: list[Anchor]) -> Iterator[Finding]:
    """Yield what a study reads from outside, and how its recordings score beside published values."""
    for name, dataset in study.datasets.items():
        if dataset.is_embedded:
            continue
        there = Path(dataset.path or "").is_dir()
        way = f"no folder {dataset.path}" + ("; the study downloads it" if dataset.fetch else "; see its card")
        yield Finding(f"data {name}", "ok" if there else "missing", str(dataset.path) if there else way)
    for path, use in weights_wanted(study).items():
        yield _weights(Path(path), use, registry)
    for anchor in anchors:
        if anchor.dataset in study.datasets:
            yield from _compared(study, anchor)


def _device(asked: str | None) -> Finding:
    """Which device networks take, and in which arithmetic."""
    import torch

    try:
        kind = device_kind(asked)
    except UserError as error:
        return Finding("device", "missing", str(error))
    if kind != "cuda":
        return Finding("device", "ok" if kind == "mps" else "note", f"{kind}, {resolve_precision('auto', kind)}")
    cards = [torch.cuda.get_device_properties(card) for card in range(torch.cuda.device_count())]
    named = ", ".join(f"{card.name} {card.total_memory / GIB:.0f} GiB" for card in cards)
    return Finding("device", "ok", f"cuda, {resolve_precision('auto', kind)}: {named}")


def _at_least(what: str, found: int, needed: int) -> Finding:
    """Whether there is enough of something measured in bytes."""
    state = "ok" if found >= needed else "note"
    return Finding(what, state, f"{found / GIB:.1f} GiB{'' if found >= needed else f', less than {needed / GIB:.0f}'}")


def _codecs() -> Finding:
    """Which of the usual codecs FFmpeg here has."""
    import av

    def has(name: str, mode: str) -> bool:
        """Whether a codec can be opened."""
        try:
            av.codec.Codec(name, mode)
        except (ValueError, av.error.FFmpegError):
            return False
        return True

    lacking = [f"{name} ({'reading' if mode == 'r' else 'writing'})" for name, mode in CODECS if not has(name, mode)]
    found = f"without {', '.join(lacking)}" if lacking else ", ".join(dict.fromkeys(name for name, _ in CODECS))
    return Finding("codecs", "missing" if lacking else "ok", found)


def _weights(path: Path, use: str, registry: Mapping[str, Asset]) -> Finding:
    """Whether a weight file is there and is the one of the registry."""
    entry = next((asset for asset in registry.values() if asset.put_by_hand == path.as_posix()), None)
    if not path.is_file():
        way = "" if entry is None else "; fetched by the study" if entry.sources else "; by hand: `prepare --check`"
        return Finding(f"weights {path.as_posix()}", "missing", f"for {use}{way}")
    digest = sha256_of(path)
    if entry is None:
        return Finding(f"weights {path.as_posix()}", "ok", f"for {use}; our own, sha256 {digest[:12]}")
    if entry.sha256 == UNVERIFIED:
        return Finding(f"weights {path.as_posix()}", "note", f"for {use}; no digest known, sha256 {digest[:12]}")
    good = digest in entry.digests()
    told = "verified" if good else f"sha256 {digest[:12]}, expected {entry.sha256[:12]}"
    return Finding(f"weights {path.as_posix()}", "ok" if good else "wrong", f"for {use}; {told}")


def _compared(study: Study, anchor: Anchor) -> Iterator[Finding]:
    """Compare the recordings' score in the tables with a published one; before a run say what to expect."""
    what = f"anchor {anchor.dataset}, {anchor.metric}"
    recorded = [name for name, row in study.experiments.items() if row.kind == "ground_truth"]
    shown = [
        Path(f"results/{study.name}/tables/{name}.csv")
        for name, table in study.tables.items()
        if study.tasks[table.task].dataset == anchor.dataset and anchor.metric in table.metrics
    ]
    made = [path for path in shown if path.is_file()]
    if shown and not made:
        yield Finding(what, "note", f"expect {anchor.value:g} for ground truth ({anchor.source}); not scored yet")
    for path in made:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["metric"] == anchor.metric]
        for row in (row for row in rows if row["experiment"] in recorded and row["mean"]):
            near = abs(float(row["mean"]) - anchor.value) <= TOLERANCE * abs(anchor.value)
            told = f"table {path.stem}: {float(row['mean']):.4g}, published {anchor.value:g} ({anchor.source})"
            yield Finding(what, "ok" if near else "wrong", told)
