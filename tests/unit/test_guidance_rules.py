"""Rules and treatments of conditions: when, where and with what they guide."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.features.conditions import Seen
from syncvoice.generation.kinds.model import Settings
from syncvoice.generation.requests import treatments_of
from syncvoice.generation.settings import GuidanceRule, Treatment
from syncvoice.generation.speech import Sampling, sample_mels
from syncvoice.generation.treatments import around_shut, treated
from syncvoice.model.guidance import SCHEDULES, Rule, Scales, combine
from tests.unit.test_model import make_model, make_request


def velocities(n: int = 4) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(2, 5, 7, generator=draw) for _ in range(n)]


def test_schedules_but_the_constant_one_weigh_alike() -> None:
    times = torch.linspace(0, 1, 2001)[1:].tolist()
    means = {schedule: sum(Rule(schedule).factor(t) for t in times) / len(times) for schedule in SCHEDULES}
    assert means.pop("constant") == 1
    assert means == pytest.approx(dict.fromkeys(means, 0.5), abs=1e-3)
    assert [Rule("early").factor(t) for t in (0.2, 0.8)] == [1, 0]
    assert [Rule("late").factor(t) for t in (0.2, 0.8)] == [0, 1]
    assert Rule("rising").factor(0.8) > Rule("falling").factor(0.8)


def test_a_rule_changes_its_own_condition_only() -> None:
    v, scales = velocities(), Scales(2.0, face=1.5, lip=3.0)
    early = Scales(2.0, face=1.5, lip=3.0, rules={"lip": Rule("early")})
    torch.testing.assert_close(combine(v, early, 0.3), combine(v, scales, 0.3), atol=0, rtol=0)
    torch.testing.assert_close(combine(v, early, 0.8), combine(v[:3], scales.changed(lip=0.0), 0.8), atol=0, rtol=0)
    assert early != scales
    assert early.changed(lip=1.0).rules == early.rules


def test_off_text_leaves_the_step_what_the_text_does_not_say() -> None:
    v, scales = velocities(3), Scales(2.0, lip=1.0, rules={"lip": Rule(off_text=True)})
    text = v[1] - v[0]
    step = combine(v, scales, 0.8) - (v[0] + 2.0 * text)
    torch.testing.assert_close((step * text).sum(-1), torch.zeros(2, 5), atol=1e-5, rtol=0)
    full = v[2] - v[1]
    along = (full * text).sum(-1, keepdim=True) / text.square().sum(-1, keepdim=True) * text
    torch.testing.assert_close(step + along, full)


def test_a_scale_is_amplified_until_a_time_and_one_after_it() -> None:
    rules = {name: Rule(until=0.5) for name in ("text", "lip")}
    v, scales, half = velocities(3), Scales(1.5, lip=2.0), Scales(1.5, lip=2.0, rules=rules)
    torch.testing.assert_close(combine(v, half, 0.5), combine(v, scales, 0.5), atol=0, rtol=0)
    torch.testing.assert_close(combine(v, half, 0.6), v[2])
    assert half.at(0.5) == scales.at(0.5) == {"text": 2.0, "lip": 3.0}
    assert half.at(0.6) == {"text": 1.0, "lip": 1.0}
    assert half.subsets(0.5) == half.subsets() == [(), ("text",), ("text", "lip")]
    assert half.subsets(0.6) == [("text", "lip")]
    assert Scales(1.5, lip=0.5, rules=rules).at(0.6) == {"text": 1.0, "lip": 0.5}


def test_late_steps_without_amplification_take_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batches = make_model(), []
    velocity = model.backbone.velocity
    monkeypatch.setattr(model.backbone, "velocity", lambda x, *a, **k: batches.append(len(x)) or velocity(x, *a, **k))
    half = Scales(1.5, lip=2.0, rules={name: Rule(until=0.5) for name in ("text", "lip")})
    sample_mels(model, [make_request("clip", 12)], Sampling(half, num_steps=4, t_shift=1.0))
    assert batches == [3, 3, 3, 1]


def test_scales_of_one_with_a_rule_still_need_every_subset() -> None:
    assert Scales(1.0, lip=1.0).subsets() == [("text", "lip")]
    assert Scales(1.0, lip=1.0, rules={"lip": Rule("late")}).subsets() == [(), ("text",), ("text", "lip")]
    assert Scales(1.0, lip=1.0, rules={"lip": Rule()}).subsets() == [("text", "lip")]
    shut = Scales(1.0, lip=1.0, rules={"lip": Rule(where="shut")})
    assert shut.subsets(0.7) == [(), ("text",), ("text", "lip")]


def test_frames_of_weight_zero_are_led_by_the_rest() -> None:
    model, sampling = make_model(), Sampling(Scales(2.0, lip=2.0, rules={"lip": Rule(where="shut")}), 2)
    request, other = make_request("a", 8), make_request("b", 11)
    nowhere = [replace(r, frame_weights={"lip": torch.zeros(r.n_frames)}) for r in (request, other)]
    everywhere = [replace(r, frame_weights={"lip": torch.ones(r.n_frames)}) for r in (request, other)]
    found = sample_mels(model, nowhere, sampling)
    for mel, without in zip(found, sample_mels(model, [request, other], Sampling(Scales(2.0), 2)), strict=True):
        torch.testing.assert_close(mel, without, atol=1e-3, rtol=0)
    plain = sample_mels(model, [request, other], Sampling(Scales(2.0, lip=2.0), 2))
    for mel, full in zip(sample_mels(model, everywhere, sampling), plain, strict=True):
        torch.testing.assert_close(mel, full, atol=1e-3, rtol=0)
    half = torch.zeros(8)
    half[4:] = 1
    late = sample_mels(
        model, [replace(request, frame_weights={"lip": half}), nowhere[1]], Sampling(sampling.scales, 1)
    )[0]
    off, on = (
        sample_mels(model, [r, nowhere[1]], Sampling(sampling.scales, 1))[0] for r in (nowhere[0], everywhere[0])
    )
    first = clocks.mel_frames(8) // 2 - 1
    torch.testing.assert_close(late[:first], off[:first], atol=1e-3, rtol=0)
    torch.testing.assert_close(late[first + 2 :], on[first + 2 :], atol=1e-3, rtol=0)


def test_shift_holds_the_ends() -> None:
    ramp = torch.arange(6.0)[:, None]
    assert treated(ramp, Treatment(shift=2))[:, 0].tolist() == [0, 0, 0, 1, 2, 3]
    assert treated(ramp, Treatment(shift=-1))[:, 0].tolist() == [1, 2, 3, 4, 5, 5]


def test_a_lower_rate_holds_every_frame_until_the_next() -> None:
    ramp = torch.arange(7.0)[:, None]
    assert treated(ramp, Treatment(rate=12.5))[:, 0].tolist() == [0, 0, 2, 2, 4, 4, 6]
    assert treated(ramp, Treatment(rate=25))[:, 0].tolist() == ramp[:, 0].tolist()


def test_smoothing_halves_the_frequency_that_it_names() -> None:
    time = torch.arange(500) / clocks.FPS
    for hz, gain in ((6.0, 0.5), (1.0, 0.98), (9.0, 0.21)):
        wave = torch.sin(2 * torch.pi * hz * time)[:, None]
        found = treated(wave, Treatment(smooth_hz=6.0))[100:400].std() / wave[100:400].std()
        assert float(found) == pytest.approx(gain, abs=0.01)


def test_jitter_moves_single_frames_and_the_same_in_every_condition() -> None:
    ramp = torch.arange(400.0)[:, None]
    found = treated(ramp, Treatment(jitter=3), 1, "c1")[:, 0]
    moved = (found - ramp[:, 0])[3:-3]
    counts = torch.bincount((moved + 3).long(), minlength=7)
    assert counts.sum() == 394 and counts.min() > 30  # all of -3 ... 3, about as often
    assert treated(2 * ramp, Treatment(jitter=3), 1, "c1")[:, 0].tolist() == (2 * found).tolist()
    assert treated(ramp, Treatment(jitter=3), 1, "c2")[:, 0].tolist() != found.tolist()
    assert treated(ramp, Treatment(jitter=3), 2, "c1")[:, 0].tolist() != found.tolist()


def test_a_row_sees_through_another_split_and_loses_what_lost_its_face(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.generation import requests
    from syncvoice.generation.requests import RequestBuilder
    from syncvoice.records.tasks import Utterance

    monkeypatch.setattr(requests, "open_features", lambda folder, names: dict.fromkeys(names, str(folder)))
    monkeypatch.setattr(requests, "check_store", lambda *_: None)
    clip = ("test", "grid", "Bin blue.", "en", "s1", "female", "no", "grid", "r1", "reference", "Set red.", "en", 25)
    references = {"reference": {"mel": {"r1": np.zeros((30, 100), np.float32)}}}
    builder = RequestBuilder(references, {"test": {"lip": {"c1": np.ones((25, 30), np.float32)}}}, seed=1)
    row, seen = (
        Utterance("c1", "c1", *clip),
        {"lip": Seen(feature="lip", extractor="mesh_lip", version="1", settings={}, weights_sha256=None, dim=30)},
    )
    assert requests.visual_of(Path("root"), [row], seen, "test_blur") == {"test": {"lip": "root/test_blur"}}
    assert requests.visual_of(Path("root"), [row], seen) == {"test": {"lip": "root/test"}}
    assert builder.request(row, row.text, "c1").visual["lip"].sum() == 750
    with pytest.raises(UserError, match="'c2' has no features for lip: its face was lost"):
        builder.request(Utterance("c2", "c2", *clip), row.text, "c2")


def test_films_of_several_moments_are_one_of_a_higher_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.generation import requests
    from syncvoice.generation.requests import RequestBuilder
    from syncvoice.records.tasks import Utterance

    films = {
        "early": {"c1": np.full((24, 30), 1.0, np.float32), "c2": np.zeros((25, 30), np.float32)},
        "late": {"c1": np.full((25, 30), 2.0, np.float32)},
    }
    monkeypatch.setattr(requests, "open_features", lambda folder, names: dict.fromkeys(names, films[folder.name]))
    monkeypatch.setattr(requests, "check_store", lambda *_: None)
    clip = ("test", "grid", "Bin blue.", "en", "s1", "female", "no", "grid", "r1", "reference", "Set red.", "en", 25)
    row = Utterance("c1", "c1", *clip)
    seen = {"lip": Seen(feature="lip", extractor="mesh_lip", version="1", settings={}, weights_sha256=None, dim=30)}
    visual = requests.visual_of(Path("root"), [row], seen, ("early", "late"))
    assert list(visual["test"]["lip"]) == ["c1"] and len(visual["test"]["lip"]) == 1
    references = {"reference": {"mel": {"r1": np.zeros((30, 100), np.float32)}}}
    builder = RequestBuilder(references, visual, seed=1, per_frame=2)
    request = builder.request(row, row.text, "c1")
    assert (request.per_frame, request.n_frames) == (2, 25)
    assert request.visual["lip"][:, 0].tolist() == [1.0, 2.0] * 24 + [2.0] * 2  # the film that lost a frame ends it
    with pytest.raises(UserError, match="'c2' has no features for lip: its face was lost"):
        builder.request(Utterance("c2", "c2", *clip), row.text, "c2")


def test_columns_are_kept_and_the_others_held_at_their_mean() -> None:
    assert treated(torch.ones(2, 4), Treatment(columns=(0, 3))).tolist() == [[1, 0, 0, 1]] * 2


def test_a_shut_mouth_and_its_neighbours_count() -> None:
    opening = torch.tensor([0.2, 0.2, 0.2, 0.2, 0.0, 0.2, 0.2, 0.2, 0.2])
    assert around_shut(opening).tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]


def settings(**changes: object) -> Settings:
    values = {
        "experiment": "x", "voice": "context", "scales": {"text": 2.0, "lip": 1.0}, "steps": 2, "precision": "fp32",
        "t_shift": 0.5, "temperature": 1.0, "seed": 1, "vocoder": "v", "speaker_encoder": "s", "swap": "none",
        "sweep": None,
    }  # fmt: skip
    return Settings.model_validate({**values, **changes})


def test_rules_reach_the_scales() -> None:
    rule = GuidanceRule(schedule="late", off_text=True)
    assert settings(rules={"lip": rule}).guidance().rules == {"lip": Rule("late", "all", True)}


def test_rules_that_can_do_nothing_are_refused() -> None:
    lip = Seen(feature="lip", extractor="lip_crops", version="1", settings={}, weights_sha256=None, dim=4)
    with pytest.raises(UserError, match=r"'face' has a rule or treatment, but does not guide \(.* lip\)"):
        treatments_of(settings(treatments={"face": Treatment(shift=1)}), {"lip": lip})
    with pytest.raises(UserError, match="'text' has a rule or treatment, but does not guide"):
        treatments_of(settings(scales={"lip": 1.0}, rules={"text": GuidanceRule(until=0.5)}), {"lip": lip})
    with pytest.raises(UserError, match="rule of 'text' may say when it guides"):
        treatments_of(settings(rules={"text": GuidanceRule(where="shut")}), {"lip": lip})
    assert treatments_of(settings(rules={"text": GuidanceRule(until=0.5)}), {"lip": lip}) == {}
    with pytest.raises(UserError, match="come from lip_crops"):
        treatments_of(settings(rules={"lip": GuidanceRule(where="shut")}), {"lip": lip})


def test_the_opening_is_read_back_from_the_features_of_mesh_lip() -> None:
    from syncvoice.features.extractors.mesh_lip import VALUES, lip_features
    from syncvoice.features.mesh import align
    from syncvoice.features.mouth import ALIGN_FRAMES, OPENING, opening, raw_lip_values
    from syncvoice.video.track import STABLE_POINTS

    assert VALUES[0][:3] == ("inner_centre", *OPENING)
    landmarks = np.random.default_rng(1).normal(100, 30, (6, 478, 3))
    raw = raw_lip_values(align(landmarks, STABLE_POINTS, ALIGN_FRAMES))[:, 0]
    usual = raw < 0.45  # features are clipped far from the mean
    assert usual.sum() >= 3
    np.testing.assert_allclose(opening(lip_features(landmarks))[usual], raw[usual], atol=1e-4)
