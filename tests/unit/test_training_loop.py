"""The hot loop: losses are read in groups, batches are assembled by workers, and nothing of it changes a number."""

import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from torch.utils.data import DataLoader

from syncvoice.errors import UserError
from syncvoice.features.cache import open_features
from syncvoice.training.data import BatchMaker, BatchPlan, StepStream, loader_of
from syncvoice.training.module import FineTuning, Loss
from syncvoice.training.objective import Batch
from tests.unit.training_study import clips, make_study, recipe, run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


def stream_of(study: Path) -> StepStream:
    """Batches of seven steps of two parts."""
    settings = recipe(study, batch_seconds=3.0)
    stores = open_features(study / "features", ["mel", "text"])
    lips = open_features(study / "features", ["lip"])["lip"]
    maker = BatchMaker(stores, {"lip": lips}, {clip.id: torch.randn(12) for clip in clips()})
    return StepStream(BatchPlan(clips(), settings, parts=2), maker, 2, 9)


def same(first: Batch, second: Batch) -> bool:
    tensors = [
        (a.features, a.use_speaker, a.script.reference, a.script.reference_embedding, a.script.visual["lip"])
        for a in (first, second)
    ]
    equal = all(torch.equal(a, b) for a, b in zip(*tensors, strict=True))
    return equal and (first.clip_ids, first.part, first.share) == (second.clip_ids, second.part, second.share)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_same_batches_in_the_same_order(study: Path, workers: int) -> None:
    stream = stream_of(study)
    here = list(stream)
    there = list(DataLoader(stream, batch_size=None, num_workers=workers, multiprocessing_context="fork"))
    assert len(here) == len(there) == 14
    assert all(same(a, b) for a, b in zip(here, there, strict=True))


def test_a_forked_process_opens_its_own_shards(study: Path) -> None:
    store = open_features(study / "features", ["mel"])["mel"]
    mine = store._file_of("clip1")
    with mock.patch("syncvoice.features.cache.os.getpid", return_value=os.getpid() + 1):
        assert store._file_of("clip1") is not mine
        assert store["clip1"].shape[1] == 100


def test_only_a_card_is_fed_by_workers(study: Path) -> None:
    stream = stream_of(study)
    assert loader_of(stream, "cpu", 4).num_workers == 0 and not loader_of(stream, "cpu", 4).pin_memory
    assert loader_of(stream, "cuda", 4).num_workers == 4 and loader_of(stream, "cuda", 4).pin_memory


def test_batch_is_pinned_as_a_whole(study: Path) -> None:
    batch = next(iter(stream_of(study)))
    with mock.patch.object(torch.Tensor, "pin_memory", lambda tensor: tensor + 0) as _:
        pinned = batch.pin_memory()
    assert same(batch, pinned) and pinned.features is not batch.features
    assert pinned.script.visual["lip"] is not batch.script.visual["lip"]


def losses(*values: float) -> list[Loss]:
    """Losses of steps of two parts each."""
    return [Loss(n // 2, torch.tensor(value), [f"clip{n}"], 2, 0.1 / (1 + n)) for n, value in enumerate(values)]


@pytest.mark.parametrize("reads", [(1, 2, 3, 4, 5, 6), (6,), (3, 6), (5, 6)])
def test_curve_does_not_depend_on_when_losses_are_read(study: Path, reads: tuple[int, ...]) -> None:
    with mock.patch.object(FineTuning, "trainer", SimpleNamespace(world_size=1)):
        made = FineTuning(torch.nn.Linear(1, 1), recipe(study, average_from=1.0), {})
        for number, loss in enumerate(losses(1.0, 2.0, 0.25, 0.5, 3.0, 0.1), start=1):
            made._unread.append(loss)
            if number in reads:
                made.read_losses()
    assert [(row["step"], row["loss"], row["learning_rate"]) for row in made.rows] == [
        ("1", "1.500000", "0.05"), ("2", "0.375000", "0.025"), ("3", "1.550000", "0.01667")
    ]  # fmt: skip


def test_loss_that_is_not_finite_is_told_of_its_own_step(study: Path) -> None:
    with mock.patch.object(FineTuning, "trainer", SimpleNamespace(world_size=1)):
        made = FineTuning(torch.nn.Linear(1, 1), recipe(study, average_from=1.0), {})
        made._unread += losses(1.0, 2.0, 0.5, float("inf"), 1.0, 1.0)
        with pytest.raises(UserError, match="loss inf at step 1 on clips clip3;"):
            made.on_save_checkpoint({})


def test_reading_rarely_trains_the_same_model(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    often = run(study, "often")
    read, original = [], FineTuning.read_losses

    def rarely(self: FineTuning) -> None:
        if not self._unread or len(self._unread) % 3 == 0 or self.global_step >= 5:
            read.append(len(self._unread))
            original(self)

    monkeypatch.setattr(FineTuning, "read_losses", rarely)
    seldom = run(study, "seldom", checkpoint_every=100)
    assert max(read) == 3
    assert (seldom / "curve.csv").read_bytes() == (often / "curve.csv").read_bytes()
    assert (seldom / "model.safetensors").read_bytes() == (often / "model.safetensors").read_bytes()
