"""The parts of dubbing a clip, each as something that can be called: what is timed, and what is counted.

A part is named in the table as here. Front-ends, tracking and speaker encoders run once per clip; guidance and rows
are whole samplings with the row's number of steps. Counted is the plain model, timed is the one that generation uses.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.cost.settings import CostJob, RowOfModel
from syncvoice.errors import UserError

IDLE = "process with torch, idle"
TRACKING = "face tracking and crops"
PRETRAINED, LEARNABLE = "speaker encoder, pretrained", "speaker encoder, learnable"
TEXT, VOCODER = "text encoder and fusion", "vocoder"
FRONT_END, BRANCHES, ROW = "front-end of ", "guidance, branches: ", "row "


@dataclass(frozen=True)
class Inputs:
    """Where a measurement finds what it times: task, manifests of clips and references, features, models."""

    task: Path
    manifests: tuple[Path, ...]
    features_root: Path
    models: Path


@dataclass(frozen=True)
class Part:
    """One part, ready to run.

    Attributes:
        runs: a call per clip; each does all of the part's work on it.
        seconds: of speech per clip, the clip's own length.
        operations: counts the part's operations on the first clip; None without a torch network.
        parameters: of its networks.
    """

    runs: Sequence[Callable[[], object]]
    seconds: Sequence[float]
    operations: Callable[[], int] | None = None
    parameters: int = 0


def part_names(job: CostJob) -> list[str]:
    """Return the parts of a measurement, in the order of its table."""
    guiding = [name for name in job.rows[job.row].row.scales if name != "text"]
    branches = [f"{BRANCHES}{number}" for number in range(1, len(guiding) + 3)]
    front_ends = [f"{FRONT_END}{name}" for name in sorted(guiding)]
    parts = [IDLE, TRACKING, *front_ends, PRETRAINED, LEARNABLE, TEXT, *branches, VOCODER]
    return [*parts, *(f"{ROW}{name}" for name in job.timed)]


def counted(call: Callable[[], object]) -> int:
    """Operations of a call: multiplications and additions, each counts one."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def counted_steps(call: Callable[[int], object], steps: int) -> int:
    """Operations of so many steps, from one step and two: each further one costs as much as the second."""
    one, two = counted(lambda: call(1)), counted(lambda: call(2))
    return one + (steps - 1) * (two - one)


def make_part(name: str, job: CostJob, inputs: Inputs) -> Part:
    """Load what a part needs, no more: what lies in memory is its own.

    Raises:
        UserError: there is no such part, or an input is missing.
    """
    if name == IDLE:
        import torch

        return Part([lambda: torch.zeros(1)], [1.0])
    if name.startswith(ROW):
        return _row(job.rows[name.removeprefix(ROW)], job, inputs)
    if name.startswith(BRANCHES):
        return _branches(int(name.removeprefix(BRANCHES)), job, inputs)
    if name.startswith(FRONT_END):
        return _front_end(name.removeprefix(FRONT_END), job, inputs)
    made = {TRACKING: _tracking, PRETRAINED: _pretrained, LEARNABLE: _learnable, TEXT: _text, VOCODER: _vocoder}
    if name not in made:
        raise UserError(f"there is no part {name!r} of dubbing; parts: {', '.join(part_names(job))}")
    return made[name](job, inputs)


def _utterances(job: CostJob, inputs: Inputs) -> list[Any]:
    """The task's first utterances."""
    from syncvoice.records.tasks import read_task

    return list(islice(read_task(inputs.task), job.clips))


def _clips(job: CostJob, inputs: Inputs, what: str) -> list[Any]:
    """Manifest entries of the utterances' clips or references."""
    from syncvoice.records.clips import clips_of

    clips = {clip.id: clip for path in inputs.manifests for clip in clips_of(path)}
    return [clips[getattr(row, what)] for row in _utterances(job, inputs)]


def _seconds(job: CostJob, inputs: Inputs) -> list[float]:
    """Length of the speech of each utterance."""
    return [row.n_frames / clocks.FPS for row in _utterances(job, inputs)]


def _tracking(job: CostJob, inputs: Inputs) -> Part:
    """From the video file to landmarks and crops, as `syncvoice prepare-shard` does."""
    from syncvoice.video.prepare import PrepareSettings, prepare_clip

    settings = PrepareSettings()
    detector = settings.make_detector()
    files = [clip.video for clip in _clips(job, inputs, "clip")]
    return Part([partial(prepare_clip, file, detector, settings) for file in files], _seconds(job, inputs))


def _seen(job: CostJob, inputs: Inputs) -> Any:
    """The conditions that the model of the measured row knows."""
    from syncvoice.features.conditions import seen_by
    from syncvoice.files import read_json

    path = inputs.models / job.rows[job.row].recipe / "metadata.json"
    metadata = read_json(path)
    return seen_by(metadata, metadata["config"]["visual_dims"], str(path))


def _front_end(condition: str, job: CostJob, inputs: Inputs) -> Part:
    """From a prepared clip to the features of a condition."""
    from syncvoice.features.conditions import extractor_of

    extractor = extractor_of(condition, _seen(job, inputs)[condition])
    clips = _clips(job, inputs, "clip")
    network = getattr(extractor, "network", None)
    count = (lambda: counted(lambda: extractor.extract(clips[0]))) if network is not None else None
    parameters = parameters_of(network) if network is not None else 0
    return Part([partial(extractor.extract, clip) for clip in clips], _seconds(job, inputs), count, parameters)


def _pretrained(job: CostJob, inputs: Inputs) -> Part:
    """From a reference recording to its CAM++ embedding."""
    import torch

    from syncvoice.networks.camplus import CAMPPlus, fbank
    from syncvoice.places import find_path
    from syncvoice.records.sound import sound_of

    encoder = CAMPPlus.load(find_path(job.rows[job.row].row.speaker_encoder)).eval()
    sounds = [sound_of(clip, clocks.SCORER_SAMPLE_RATE) for clip in _clips(job, inputs, "reference")]

    @torch.inference_mode()
    def embed(sound: np.ndarray) -> object:
        """Embed one recording."""
        return encoder(fbank(sound)[None])

    runs = [partial(embed, sound) for sound in sounds]
    return Part(runs, _seconds(job, inputs), lambda: counted(runs[0]), parameters_of(encoder))


def _loaded(chosen: RowOfModel, job: CostJob, inputs: Inputs) -> tuple[Any, list[Any]]:
    """The model of a row, not yet prepared for sampling, and its requests.

    Raises:
        UserError: an utterance cannot be spoken.
    """
    from syncvoice.features.conditions import seen_by
    from syncvoice.files import read_json
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.work import Work
    from syncvoice.model.start import load_model
    from syncvoice.model.text_path import text_of_record

    folder = inputs.models / chosen.recipe
    model, metadata = load_model(folder), read_json(folder / "metadata.json")
    seen = seen_by(metadata, model.config.visual_dims, str(folder / "metadata.json"))
    guiding = {name: found for name, found in seen.items() if chosen.row.scales.get(name)}
    rows = _utterances(job, inputs)
    work = Work(rows, inputs.manifests[0], inputs.features_root, folder, inputs.task.parent)
    tokenizer = text_of_record(metadata.get("text")).tokenizer()
    requests, lost = requests_of(chosen.row, work, guiding, tokenizer)
    if lost:
        raise UserError(f"row {chosen.row.experiment}: {lost[0]['message']}")
    return model.eval(), requests


def _sampled(model: Any, requests: Sequence[Any], sampling: Any, precision: str, finish: Callable[[Any, Any], object]
             ) -> tuple[list[Callable[[], object]], Callable[[], int]]:  # fmt: skip
    """Calls that sample each request, and one that counts the first; preparing for speed comes after counting."""
    from syncvoice.fast.precision import prepare_for_sampling
    from syncvoice.generation.speech import sample_mels

    ready: list[bool] = []

    def speak(request: Any) -> object:
        """Sample one clip and finish it."""
        if not ready:
            prepare_for_sampling(model.backbone, precision)
            ready.append(True)
        return finish(sample_mels(model, [request], sampling)[0], request)

    def count() -> int:
        """Count with the plain model."""
        return counted_steps(
            lambda steps: finish(sample_mels(model, requests[:1], replace(sampling, num_steps=steps))[0], requests[0]),
            sampling.num_steps,
        )

    return [partial(speak, request) for request in requests], count


def _branches(number: int, job: CostJob, inputs: Inputs) -> Part:
    """Sampling with the first conditions of the row: one branch has no guidance, each condition adds one."""
    chosen = job.rows[job.row]
    model, requests = _loaded(chosen, job, inputs)
    sampling = replace(chosen.row.sampling(), scales=branch_scales(number, chosen.row.guidance()))
    runs, count = _sampled(model, requests, sampling, chosen.row.precision, lambda mel, request: mel)
    return Part(runs, _seconds(job, inputs), count, parameters_of(model))


def branch_scales(number: int, scales: Iterable[str]) -> Any:
    """Scales of the first conditions that need so many passes of the estimator; one pass is no guidance at all.

    >>> [len(branch_scales(number, ["text", "face", "lip"]).subsets()) for number in (1, 2, 3, 4)]
    [1, 2, 3, 4]
    """
    from syncvoice.model.guidance import Scales

    conditions = ["text", *(name for name in scales if name != "text")]
    return Scales(text=1.0) if number == 1 else Scales(2.0, None, **dict.fromkeys(conditions[1 : number - 1], 2.0))


def _row(chosen: RowOfModel, job: CostJob, inputs: Inputs) -> Part:
    """Sampling and vocoder of a row as generation runs it, clip by clip."""
    from syncvoice.generation.vocode import decode

    model, requests = _loaded(chosen, job, inputs)
    vocoder = _load_vocoder(chosen)
    runs, count = _sampled(
        model,
        requests,
        chosen.row.sampling(),
        chosen.row.precision,
        lambda mel, request: decode(vocoder, mel, request.n_frames),
    )
    return Part(runs, _seconds(job, inputs), count, parameters_of(model) + parameters_of(vocoder))


def _text(job: CostJob, inputs: Inputs) -> Part:
    """Everything before the first step but the speaker: text encoder, adapters, fusion of all conditions."""
    import torch

    from syncvoice.generation.speech import script_of

    chosen = job.rows[job.row]
    model, requests = _loaded(chosen, job, inputs)
    sampling = chosen.row.sampling()
    scripts = [script_of(model, [request], sampling) for request in requests]

    @torch.inference_mode()
    def condition(script: Any) -> object:
        """Fuse the conditions of one clip."""
        return model.condition_subsets(script, sampling.scales, None)

    runs = [partial(condition, script) for script in scripts]
    parameters = parameters_of(model.backbone.text_encoder) + (parameters_of(model.fusion) if model.fusion else 0)
    return Part(runs, _seconds(job, inputs), lambda: counted(runs[0]), parameters)


def _learnable(job: CostJob, inputs: Inputs) -> Part:
    """From mel features of the reference to e_g, the pretrained embedding given."""
    import torch

    from syncvoice.generation.speech import script_of

    chosen = job.rows[job.row]
    model, requests = _loaded(chosen, job, inputs)
    scripts = [script_of(model, [request], replace(chosen.row.sampling(), voice="speaker")) for request in requests]

    @torch.inference_mode()
    def embed(script: Any) -> object:
        """Embed one voice."""
        return model.embed_speaker(script)

    runs = [partial(embed, script) for script in scripts]
    return Part(runs, _seconds(job, inputs), lambda: counted(runs[0]), parameters_of(model.speaker))


def _load_vocoder(chosen: RowOfModel) -> Any:
    """The row's vocoder."""
    from syncvoice.model.vocoder import Vocoder
    from syncvoice.places import find_path

    return Vocoder.load(find_path(chosen.row.vocoder)).eval()


def _vocoder(job: CostJob, inputs: Inputs) -> Part:
    """From mel features to sound; which features does not matter for the cost."""
    import torch

    from syncvoice.generation.vocode import decode

    vocoder = _load_vocoder(job.rows[job.row])
    lengths = [row.n_frames for row in _utterances(job, inputs)]
    noise = [torch.randn(clocks.mel_frames(n), 100, generator=torch.Generator().manual_seed(0)) for n in lengths]
    runs = [partial(decode, vocoder, 0.1 * mel, n) for mel, n in zip(noise, lengths, strict=True)]
    return Part(runs, _seconds(job, inputs), lambda: counted(runs[0]), parameters_of(vocoder))


def parameters_of(module: Any) -> int:
    """Parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
