"""What design.md section 4 promises of fusion, guidance, padding and condition masking, counted and by statistics."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from syncvoice.generation.speech import Request, Sampling, sample_mels
from syncvoice.model.fusion import TextVisualFusion
from syncvoice.model.guidance import Scales, in_guidance_order
from syncvoice.model.solver import Conditions, euler
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.model.zipformer import padding_mask
from syncvoice.model.zipvoice import ZipVoice
from syncvoice.records.clips import Clip
from syncvoice.training.data import BatchPlan
from syncvoice.training.objective import Batch, predict
from syncvoice.training.recipe import Condition
from tests.unit.test_model import TINY, make_model, make_request, sample
from tests.unit.training_study import recipe

CONFIG = Path(__file__).resolve().parents[2] / "config"
CONDITIONS = ("text", "face", "lip")  # the paper's, in the order of its scales
EVERY_SCALE = list(itertools.product((0.0, 1.0, 2.0), repeat=3))  # text, face, lip


@pytest.fixture(scope="module")
def model() -> SyncVoice:
    return make_model()


def passes(scales: Scales) -> int:
    """Estimator passes that the guidance formula needs: one per subset, and the last alone when it telescopes."""
    used = [scales[c] for c in CONDITIONS if scales[c] != 0]
    return 1 if used and set(used) == {1.0} else 1 + len(used)


def replacements(request: Request, scales: Scales) -> Iterator[Request]:
    """The same request with every condition of scale 0 replaced: by other values, by no number, by nothing."""
    off = [c for c in CONDITIONS if scales[c] == 0]
    look = torch.Generator().manual_seed(9)
    for change in ("other", "nan", "nothing"):
        visual = dict(request.visual)
        for modality in (m for m in off if m != "text"):
            other = torch.randn(visual[modality].shape, generator=look) * 100
            visual[modality] = torch.full_like(other, torch.nan) if change == "nan" else other
            if change == "nothing":
                del visual[modality]
        tokens = [7, 8, 9] if "text" in off else request.tokens
        yield replace(request, visual=visual, tokens=tokens)


@pytest.mark.parametrize("values", EVERY_SCALE)
def test_scale_zero_removes_a_condition_and_its_pass(values: tuple[float, float, float], model: SyncVoice) -> None:
    scales = Scales(**dict(zip(CONDITIONS, values, strict=True)))
    sampling = Sampling(scales, num_steps=2)
    requests = [make_request("a", 6), make_request("b", 6)]
    with mock.patch.object(model.backbone, "velocity", wraps=model.backbone.velocity) as velocity:
        mels = sample_mels(model, requests, sampling)
    assert [len(call.args[0]) for call in velocity.call_args_list] == [2 * passes(scales)] * 2
    for changed in replacements(requests[0], scales):
        found = sample_mels(model, [changed, requests[1]], sampling)
        torch.testing.assert_close(found, mels, atol=0, rtol=0)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_other_scales_let_a_condition_through(condition: str, model: SyncVoice) -> None:
    request = make_request("a", 6)
    scales = Scales(2.0, face=2.0, lip=2.0)
    visual = {m: v + 1.0 if m == condition else v for m, v in request.visual.items()}
    changed = replace(request, visual=visual, tokens=[7, 8, 9] if condition == "text" else request.tokens)
    assert not torch.allclose(sample(model, [request], scales)[0], sample(model, [changed], scales)[0], atol=1e-4)


def zipvoice_solver(
    backbone: ZipVoice, x: Tensor, text: Tensor, speech: Tensor, speaker: Tensor | None, g: float, times: list[float]
) -> Tensor:
    """ZipVoice's guided Euler solver, written from its facts: two passes, doubled g and kept speech at t <= 0.5."""
    for t, t_next in itertools.pairwise(times):
        emb = backbone.fm_decoder.embed_time(torch.full((len(x),), t))
        voiced = emb if speaker is None else emb + speaker
        late = t > 0.5
        g_t = g if late else 2 * g
        v_c = backbone.velocity(x, text, speech, voiced)
        v_u = backbone.velocity(x, torch.zeros_like(text), speech * (not late), emb if late else voiced)
        x = x + ((1 + g_t) * v_c - g_t * v_u) * (t_next - t)
    return x


@torch.inference_mode()
@pytest.mark.parametrize("g", [0.4, 1.0, 3.0])
@pytest.mark.parametrize(("steps", "shift"), [(4, 1.0), (5, 0.5)])  # 4 even steps hit t = 0.5 exactly
@pytest.mark.parametrize("with_speaker", [False, True])
def test_equal_scales_reproduce_zipvoice(g: float, steps: int, shift: float, with_speaker: bool) -> None:
    torch.manual_seed(5)
    backbone = ZipVoice(TINY).eval()
    x_0, z_tv, speech = (torch.randn(2, 13, 100) for _ in range(3))
    speech[:, 5:] = 0
    speaker = torch.randn(2, TINY.time_embed_dim) if with_speaker else None
    tau = torch.linspace(0, 1, steps + 1)
    times = (shift * tau / (1 + (shift - 1) * tau)).tolist()
    assert min(times) <= 0.5 < times[-2]
    expected = zipvoice_solver(backbone, x_0, z_tv, speech, speaker, g, times)
    # Text alone carries z_tv, or z_tv grows condition by condition: with equal scales only its whole counts.
    fused = {(): torch.zeros_like(z_tv), ("text",): 0.3 * z_tv, ("text", "face"): -z_tv, CONDITIONS: z_tv}
    alone = {(): torch.zeros_like(z_tv), ("text",): z_tv}
    for subsets, scales in ((alone, Scales(1 + g)), (fused, Scales(1 + g, face=1 + g, lip=1 + g))):
        found = euler(backbone, x_0, Conditions(subsets, speech, speaker), scales, steps, shift)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("lengths", [(16, 13, 5), (9, 8, 7), (21, 2, 1)])
def test_invariant_padding_makes_a_batch_equal_to_single_clips(lengths: tuple[int, ...]) -> None:
    sizes = {
        "fm_decoder_downsampling_factor": (1, 2, 4, 2, 1), "fm_decoder_num_layers": (1,) * 5,
        "fm_decoder_cnn_module_kernel": (7, 5, 3, 5, 7),
    }  # fmt: skip
    found = {}
    for mode in ("invariant", "reference"):
        torch.manual_seed(6)
        backbone = ZipVoice(replace(TINY, padding_mode=mode, **sizes)).eval()
        x = [torch.randn(3, max(lengths), 100) for _ in range(3)]
        emb = backbone.fm_decoder.embed_time(torch.full((3,), 0.3))
        batched = backbone.velocity(*x, emb, padding_mask(torch.tensor(lengths), max(lengths)))
        found[mode] = [
            (batched[i, :n] - backbone.velocity(*(part[i : i + 1, :n] for part in x), emb[i : i + 1])[0]).abs().max()
            for i, n in enumerate(lengths)
        ]
    assert max(found["invariant"]) <= 1e-5
    assert max(found["reference"]) > 1e-4, "the public code mixes padding into the last frames of shorter clips"


def test_permuted_batch_gives_permuted_outputs(model: SyncVoice) -> None:
    requests = [make_request(name, n) for name, n in (("a", 7), ("b", 4), ("c", 9), ("d", 7))]
    for voice in ("context", "speaker"):
        straight = sample(model, requests, Scales(2.0, face=1.5, lip=2.0), voice)
        order = [2, 0, 3, 1]
        permuted = sample(model, [requests[i] for i in order], Scales(2.0, face=1.5, lip=2.0), voice)
        for i, mel in zip(order, permuted, strict=True):
            torch.testing.assert_close(mel, straight[i], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [2, 5])
def test_text_encoder_and_fusion_run_once_per_clip_whatever_the_steps(steps: int, model: SyncVoice) -> None:
    assert isinstance(model.fusion, TextVisualFusion)
    lip, face = (model.fusion.adapters[m] for m in ("lip", "face"))
    requests = [make_request(name, n) for name, n in (("a", 7), ("b", 4), ("c", 9))]
    with (
        mock.patch.object(model.backbone.text_encoder, "forward", wraps=model.backbone.text_encoder.forward) as encode,
        mock.patch.object(lip, "forward", wraps=lip.forward) as adapt_lip,
        mock.patch.object(face, "forward", wraps=face.forward) as adapt_face,
        mock.patch.object(model.fusion, "forward", wraps=model.fusion.forward) as fuse,
        mock.patch.object(model.backbone, "velocity", wraps=model.backbone.velocity) as velocity,
    ):
        sample_mels(model, requests, Sampling(Scales(2.0, face=2.0, lip=2.0), num_steps=steps))
    assert velocity.call_count == steps
    for part in (encode, adapt_lip, adapt_face):
        assert part.call_count == 1 and len(part.call_args.args[0]) == 3  # one call holds the three clips
    assert fuse.call_count == 3  # text, text + face, text + face + lip: each subset of conditions is fused once
    assert all(len(call.args[0]) == 3 for call in fuse.call_args_list)


def test_zero_initialised_fusion_is_the_identity_for_any_video() -> None:
    torch.manual_seed(0)
    fusion = TextVisualFusion({"lip": 6, "face": 4}, 8, 100)
    z_t = torch.randn(2, 15, 100)
    adapted = fusion.adapt({"lip": torch.randn(2, 4, 6) * 100, "face": torch.randn(2, 4, 4)}, 15)
    present = {m: torch.rand(2, 15) < 0.5 for m in adapted}
    torch.testing.assert_close(fusion(z_t, adapted, present), z_t, atol=0, rtol=0)
    loss = fusion(z_t, adapted, present).square().sum()
    loss.backward()
    assert fusion.linear.weight.grad is not None and fusion.linear.weight.grad.abs().max() > 0  # and it can learn


def test_new_speaker_encoder_leaves_the_backbone_unchanged() -> None:
    with_speaker = make_model(random_fusion=False)
    torch.manual_seed(0)
    plain = SyncVoice(SyncVoiceConfig(TINY, {"lip": 6, "face": 4}, 8)).eval()
    plain.backbone.load_state_dict(with_speaker.backbone.state_dict())
    request = make_request("a", 6)
    (spoken,) = sample(with_speaker, [request], Scales(1.0), "speaker")
    silent = replace(request, voice=replace(request.voice, tokens=[], mel=torch.zeros(0, 100)))
    torch.testing.assert_close(spoken, sample(plain, [silent], Scales(1.0))[0], atol=1e-6, rtol=0)


class Observed:
    """What `predict` gave the fusion and the estimator."""

    lip: Tensor
    face: Tensor
    z_tv: Tensor
    time_emb: Tensor


def observe(
    model: SyncVoice, masks: dict[str, float], size: int, use_speaker: Tensor, e_g: Tensor | None = None
) -> Observed:
    """Run the training objective on a large batch of two-frame clips, with cheap parts in place of the networks."""
    seen = Observed()
    rows = torch.ones(size, 2, 100)

    def fuse(z_t: Tensor, adapted: Any, script: Script, use: dict[str, Tensor]) -> Tensor:
        seen.lip, seen.face = use["lip"], use["face"]
        return z_t

    def velocity(x_t: Tensor, z_tv: Tensor, speech: Tensor, time_emb: Tensor, *_: Any) -> Tensor:
        seen.z_tv, seen.time_emb = z_tv, time_emb
        return torch.zeros_like(x_t)

    script = Script([[1]] * size, [((0, 0), (1, 2))] * size, {})
    with (
        mock.patch.object(model, "text_condition", return_value=rows),
        mock.patch.object(model, "adapt_visual", return_value={"lip": rows, "face": rows}),
        mock.patch.object(model, "fuse", fuse),
        mock.patch.object(model, "embed_speaker", return_value=e_g),
        mock.patch.object(model.backbone, "velocity", velocity),
    ):
        batch = Batch([str(i) for i in range(size)], script, torch.zeros(size, 2, 100), use_speaker)
        predict(model, batch, masks, t=torch.full((size,), 0.3))
    return seen


def check_rate(kept: np.ndarray, dropped: float) -> None:
    """A share of about `dropped` is False: within four standard deviations of so many draws."""
    assert abs((1 - kept.mean()) - dropped) < 4 * (dropped * (1 - dropped) / len(kept)) ** 0.5


def check_independent(*columns: np.ndarray) -> None:
    """No correlation between columns nor between neighbours in a column, within four standard deviations."""
    limit = 4 / len(columns[0]) ** 0.5
    for first, second in itertools.combinations(columns, 2):
        assert abs(np.corrcoef(first, second)[0, 1]) < limit
    for column in columns:
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < limit


def test_text_and_visual_conditions_are_masked_at_their_rates_independently(model: SyncVoice) -> None:
    torch.manual_seed(7)
    size = 20_000
    seen = observe(model, {"text": 0.2, "lip": 0.1, "face": 0.3}, size, torch.ones(size))
    text = seen.z_tv.ne(0).flatten(1)
    assert torch.equal(text.any(dim=1), text.all(dim=1))  # a dropped z_tv is zero everywhere
    kept = [column.numpy().astype(float) for column in (text[:, 0], seen.lip, seen.face)]
    for column, rate in zip(kept, (0.2, 0.1, 0.3), strict=True):
        check_rate(column, rate)
    check_independent(*kept)


def test_the_chain_is_text_and_then_by_name() -> None:
    assert tuple(in_guidance_order(["lip", "text", "face"])) == CONDITIONS
    assert Scales(2.0, lip=1.0, head_pose=1.0, face=0.5).active() == ("text", "face", "head_pose", "lip")


def test_default_rates_are_those_of_the_design() -> None:
    defaults = yaml.safe_load((CONFIG / "defaults.yaml").read_text())["recipe_defaults"]
    assert defaults["masking"] == {"text": 0.2, "context": 0.3, "speaker": 0.3}
    assert {name: Condition.model_validate(name).mask for name in ("lip", "face")} == {"lip": 0.2, "face": 0.2}


def test_dropped_speaker_embedding_is_zero(model: SyncVoice) -> None:
    e_g = torch.randn(4, TINY.time_embed_dim)
    use = torch.tensor([1.0, 0.0, 1.0, 0.0])
    seen = observe(model, {}, 4, use, e_g)
    bare = model.backbone.fm_decoder.embed_time(torch.full((4,), 0.3))
    torch.testing.assert_close(seen.time_emb[1::2], bare[1::2])
    torch.testing.assert_close(seen.time_emb[::2], (bare + e_g)[::2])


@pytest.mark.parametrize(("context", "speaker"), [(0.3, 0.3), (0.5, 0.5), (0.1, 0.6)])
def test_voice_conditions_are_masked_at_their_rates_and_never_both(context: float, speaker: float) -> None:
    facts = {"split": "s", "dataset": "d", "sex": "", "voice_seen": "", "language": "en", "source": "", "text": "t"}
    clips = [
        Clip(id=f"clip{i}", **facts, speaker=f"voice{i % 20}", video=None, audio=Path("a.wav"), n_frames=10 + i % 7)
        for i in range(1000)
    ]
    masking = {"text": 0.2, "context": context, "speaker": speaker}
    settings = recipe(Path(), seed=3, batch_seconds=8.0, masking=masking)
    plan = BatchPlan(clips, settings)
    drawn: list[dict[str, tuple[bool, bool]]] = []
    for epoch in range(6):
        examples = [example for batch in plan.batches_of_epoch(epoch) for example in batch]
        drawn.append({e.clip.id: (e.context, e.use_speaker) for e in examples})
    has_context, has_speaker = (
        np.array([[row[clip.id][k] for clip in clips] for row in drawn], float) for k in range(2)
    )
    assert (has_context + has_speaker).min() == 1.0, "a clip has lost both its voices"
    check_rate(has_context.ravel(), context)
    check_rate(has_speaker.ravel(), speaker)
    check_independent(*has_context)  # epochs among each other, clips among each other
    check_independent(*has_speaker)
