"""Training batches: pure functions of (recipe, step), so that a resumed run sees what an unbroken run sees."""

import bisect
import itertools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.features.cache import FeatureStore
from syncvoice.model.syncvoice import Script, pad_stack, pad_visual
from syncvoice.records.clips import Clip
from syncvoice.seeding import rng
from syncvoice.training.cross_language import CrossLanguagePairs, retimed
from syncvoice.training.objective import Batch
from syncvoice.training.recipe import NamedRecipe
from syncvoice.training.shapes import padded, symbol_rows
from syncvoice.training.share import share_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """What is said, in whose voice, in one training clip.

    Attributes:
        clip: what is said.
        reference: another recording of the speaker (the clip itself, where there is none).
        context: whether the reference is spoken before the clip.
        use_speaker: whether the speaker embedding is kept.
        span: masked share of the clip and where it lies, in [0, 1] of the places it can have; None masks all.
        lips: clip in another language whose lips stand in for its own, see `cross_language`; None: they are its own.
    """

    clip: Clip
    reference: Clip
    context: bool
    use_speaker: bool
    span: tuple[float, float] | None = None
    lips: Clip | None = None

    def masked(self, n_frames: int) -> tuple[int, int]:
        """Return the first masked mel frame and the one after the last, of a clip of `n_frames` (public rule)."""
        if self.span is None:
            return 0, n_frames
        size = max(1, int(self.span[0] * n_frames))
        start = int(self.span[1] * (n_frames - size))
        return start, start + size


Step = list[list[Example]]  # the batches, one or several parts, of one update of the weights


def accumulation(batch_seconds: float, device_seconds: float | None, devices: int) -> int:
    """Batches that each device takes per step, so that a step has `batch_seconds` of audio on any number of devices."""
    return 1 if device_seconds is None else math.ceil(batch_seconds / (devices * device_seconds))


class BatchPlan:
    """Which examples make the batches of a step.

    Every epoch is a random order of the clips; neighbours of like length are batched. A step is `parts` batches, which
    together have up to `batch_seconds` of audio; devices take them in turn. References are other clips of the same
    speaker; with `context.kind: span` only the speaker embedding hears them. The plan depends on seed, clips and number
    of parts only, not on the model, so recipes that share them see the same batches, and a step is the same however
    many devices share its parts.
    """

    def __init__(self, clips: Sequence[Clip], recipe: NamedRecipe, parts: int = 1) -> None:
        """Choose the clips of this recipe's share and group references by speaker.

        Args:
            clips: of the training manifest.
            recipe: resolved recipe.
            parts: batches per step.

        Raises:
            UserError: no clip.
        """
        self.recipe, self.seed, self.parts = recipe, recipe.seed, parts
        self.clips = share_of(clips, recipe.share, recipe.seed)
        if not self.clips:
            raise UserError(f"recipe {recipe.recipe}: no clip in split {recipe.split}; excluded.csv beside it says why")
        self.references: dict[str, list[Clip]] = {}
        for speaker in sorted({c.speaker for c in self.clips}):
            own = sorted((c for c in self.clips if c.speaker == speaker), key=lambda c: (c.n_frames, c.id))
            short = [c for c in own if c.n_frames <= recipe.context.longest_reference]
            self.references[speaker] = short if len(short) > 1 else own[: max(2, len(own) // 2)]
            if len(own) < 2:
                log.warning(
                    "speaker '%s' has one training clip: it is its own speaker reference, never context", speaker
                )
        pairs = recipe.cross_language
        self._pairs = CrossLanguagePairs(self.clips, pairs.share, self.seed) if pairs else None
        self._places = {c.id: i for own in self.references.values() for i, c in enumerate(own)}
        self._epochs: dict[int, list[list[Example]]] = {}
        self._ends: list[int] = []  # batches up to the end of each epoch

    def batches_of_epoch(self, epoch: int) -> list[list[Example]]:
        """All batches of one pass over the clips."""
        if epoch not in self._epochs:
            self._epochs = {epoch: self._plan(epoch)}
        return self._epochs[epoch]

    def _plan(self, epoch: int) -> list[list[Example]]:
        draw = rng(self.seed, "epoch", epoch)
        examples = [self._example(self.clips[i], draw) for i in draw.permutation(len(self.clips))]
        if self._pairs:
            examples = [replace(e, lips=self._pairs.lips_for(e.clip, epoch)) for e in examples]
        examples.sort(key=lambda e: frames_of(e) // 8)  # stable: clips of like length stay in random order
        limit = self.recipe.batch_seconds * clocks.FPS / self.parts
        batches: list[list[Example]] = [[]]
        for example in examples:
            if batches[-1] and frames_of(example) * (len(batches[-1]) + 1) > limit:
                batches.append([])
            batches[-1].append(example)
        return [batches[i] for i in draw.permutation(len(batches))]

    def _example(self, clip: Clip, draw: np.random.Generator) -> Example:
        references, place = self.references[clip.speaker], self._places.get(clip.id)
        others = len(references) - (place is not None)
        u, masking = draw.random(), self.recipe.masking
        has_speaker_encoder = bool(self.recipe.speaker_branches)
        # Without speaker encoder the voice comes from the context alone; it is still dropped at its own rate.
        inside = self.recipe.context.kind == "span"
        context = (inside or others > 0) and u >= masking.context
        # Never both gone: a speaker with one clip has no context, so its embedding stays.
        speaker = has_speaker_encoder and not (context and u < masking.context + masking.speaker)
        chosen = int(draw.integers(max(others, 1)))
        chosen += place is not None and chosen >= place  # the clip itself is skipped
        reference = references[chosen] if others else clip
        if not inside:
            return Example(clip, reference, context, speaker)
        share, place_of_span = draw.uniform(*self.recipe.context.masked_share), draw.random()
        return Example(clip, reference, False, speaker, (share, place_of_span) if context else None)

    def steps(self, first: int, last: int) -> Iterator[tuple[int, Step]]:
        """Yield (step, its batches) for steps first .. last − 1; epochs follow each other without a gap."""
        batches = self._batches()
        for step in range(last):
            parts = [next(batches) for _ in range(self.parts)]
            if step >= first:
                yield step, parts

    def _batches(self) -> Iterator[list[Example]]:
        """Yield the batches of all epochs, without end."""
        for epoch in itertools.count():
            yield from self.batches_of_epoch(epoch)

    def epoch_of(self, step: int) -> int:
        """Passes over the clips that are complete before a step."""
        while not self._ends or self._ends[-1] <= step * self.parts:
            batches = self.batches_of_epoch(len(self._ends))
            self._ends.append((self._ends[-1] if self._ends else 0) + len(batches))
        return bisect.bisect_right(self._ends, step * self.parts)


def frames_of(example: Example) -> int:
    """Length of an example's sequence in video frames."""
    return example.clip.n_frames + (example.reference.n_frames if example.context else 0)


class BatchMaker:
    """Read features and assemble batches."""

    def __init__(self, stores: Mapping[str, FeatureStore], visual: Mapping[str, FeatureStore],
                 embeddings: Mapping[str, Tensor], of_lips: Sequence[str] = ()) -> None:  # fmt: skip
        """Keep open stores and embeddings.

        Args:
            stores: mel and text, by feature.
            visual: features by condition.
            embeddings: of CAM++ by clip id.
            of_lips: conditions that show the lips of `Example.lips`.
        """
        self.stores, self.visual, self.embeddings, self.of_lips = stores, visual, embeddings, of_lips

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Assemble examples into a batch."""
        mel, text = self.stores["mel"], self.stores["text"]
        tokens, segments, features, reference_mels = [], [], [], []
        for e in examples:
            target, reference = torch.from_numpy(mel[e.clip.id]), torch.from_numpy(mel[e.reference.id])
            own, context = text[e.clip.id].tolist(), text[e.reference.id].tolist() if e.context else []
            tokens.append(context + own)
            segments.append(((len(context), len(reference) if e.context else 0), (len(own), len(target))))
            features.append(torch.cat([reference, target]) if e.context else target)
            reference_mels.append(reference)
        visual = {
            name: pad_visual([torch.from_numpy(self._seen(name, store, e)) for e in examples])
            for name, store in self.visual.items()
        }
        x_1 = padded(pad_stack(features))
        script = Script(tokens, segments, visual, least=(symbol_rows(tokens), x_1.shape[1]))
        if any(e.span for e in examples):
            script.spans = [e.masked(target) for e, (_, (_, target)) in zip(examples, segments, strict=True)]
        if self.embeddings:
            script.reference = padded(pad_stack(reference_mels))
            script.reference_lengths = torch.tensor([len(r) for r in reference_mels])
            script.reference_embedding = torch.stack([self.embeddings[e.reference.id] for e in examples])
        use_speaker = torch.tensor([float(e.use_speaker) for e in examples])
        return Batch([e.clip.id for e in examples], script, x_1, use_speaker)

    def _seen(self, condition: str, store: FeatureStore, example: Example) -> np.ndarray:
        """Return what of a clip's video a condition shows (n_frames, dim)."""
        if example.lips is None or condition not in self.of_lips:
            return store[example.clip.id]
        return retimed(store[example.lips.id], example.lips, example.clip)


class StepStream(IterableDataset):
    """Batches of steps first .. last − 1, in order; with several processes, those of this process.

    Workers of a loader take them in turn, so a loader that asks its workers in turn gives the same order.
    """

    def __init__(self, plan: BatchPlan, maker: BatchMaker, first: int, last: int) -> None:
        """Stream the plan from `first` on (a resumed run starts in the middle)."""
        super().__init__()
        self.plan, self.maker, self.first, self.last = plan, maker, first, last

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches."""
        several = torch.distributed.is_available() and torch.distributed.is_initialized()
        rank, world = (torch.distributed.get_rank(), torch.distributed.get_world_size()) if several else (0, 1)
        worker = get_worker_info()
        own, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        turns = itertools.cycle(range(workers))
        for _, step in self.plan.steps(self.first, self.last):
            total = sum(map(target_frames, step))
            for part in range(rank, len(step), world):
                if next(turns) != own:
                    continue
                batch = self.maker(step[part])
                batch.part, batch.parts = part, len(step)
                batch.share = len(step) * target_frames(step[part]) / total
                yield batch


def loader_of(stream: StepStream, kind: str, threads: int) -> DataLoader:
    """Return a loader of whole batches.

    On a graphics card `threads` processes read features and assemble batches ahead of the training, in pinned memory;
    on a CPU they would only take its cores. The batches and their order are the same.

    Args:
        stream: of batches.
        kind: of the device, see `device.device_kind`.
        threads: of the recipe.
    """
    workers = threads if kind == "cuda" else 0
    fork = "fork" if workers else None  # open shards are no values that could be sent to a new process
    return DataLoader(
        stream, batch_size=None, num_workers=workers, pin_memory=kind == "cuda", multiprocessing_context=fork
    )


def target_frames(examples: Sequence[Example]) -> int:
    """Mel frames that count in the loss of a batch."""
    return sum(stop - start for start, stop in (e.masked(clocks.mel_frames(e.clip.n_frames)) for e in examples))
