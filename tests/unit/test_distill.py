"""The distilled variant: guidance is an input of the estimator, one pass per step."""

import pytest
import torch
from torch import Tensor

from syncvoice.generation.zero_shot import Prompt, Steps, sample
from syncvoice.model.public_layout import DISTILLED_KEY
from syncvoice.model.solver import euler_distilled, time_grid
from syncvoice.model.zipformer import swoosh_r, time_sinusoid
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.text.characters import LibriTTSTokenizer
from tests.unit.public_weights import tiny

PROMPT = Prompt(torch.linspace(-1, 0, 1200).reshape(12, 100), [20, 30, 40], 0.1)


class Passes:
    """Counts what an estimator is asked."""

    def __init__(self, model: ZipVoice, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[int] = []
        self.times: list[tuple[float, float | None]] = []
        velocity, embed_time = model.velocity, model.fm_decoder.embed_time

        def counted_velocity(x_t: Tensor, *rest: Tensor, **more: object) -> Tensor:
            self.batches.append(len(x_t))
            return velocity(x_t, *rest, **more)

        def counted_time(t: Tensor, guidance_scale: Tensor | None = None) -> Tensor:
            self.times.append((float(t[0]), None if guidance_scale is None else float(guidance_scale[0])))
            return embed_time(t, guidance_scale)

        monkeypatch.setattr(model, "velocity", counted_velocity)
        monkeypatch.setattr(model.fm_decoder, "embed_time", counted_time)


def test_the_only_new_key_of_the_base_configuration() -> None:
    with torch.device("meta"):
        plain, student = ZipVoice(ZipVoiceConfig()), ZipVoice(ZipVoiceConfig(guidance_scale_embed=True))
    new = set(student.state_dict()) - set(plain.state_dict())
    assert new == {DISTILLED_KEY} and student.state_dict()[DISTILLED_KEY].shape == (192, 192)


def test_guidance_is_added_to_the_time_sinusoid_before_its_network() -> None:
    decoder = tiny(distilled=True).fm_decoder
    t, g = torch.tensor([0.3, 0.3]), torch.tensor([0.0, 3.0])
    entered = time_sinusoid(t, 16) + time_sinusoid(g, 16) @ decoder.guidance_scale_embed.weight.T
    first, last = decoder.time_embed[0], decoder.time_embed[2]
    expected = swoosh_r(entered @ first.weight.T + first.bias) @ last.weight.T + last.bias
    found = decoder.embed_time(t, g)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found[0], found[1])


def test_time_grid_by_hand() -> None:
    """τ = 0, ¼, ½, ¾, 1 with s = ½: ⅛ / ⅞, ¼ / ¾, ⅜ / ⅝."""
    torch.testing.assert_close(time_grid(4, 0.5), torch.tensor([0, 1 / 7, 1 / 3, 0.6, 1]))
    torch.testing.assert_close(time_grid(4, 1.0), torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    torch.testing.assert_close(time_grid(4, 0.7)[2], torch.tensor(0.35 / 0.85))


def test_euler_steps_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """With v = t + g in every step the sum of the steps is g + Σ t_k (t_{k+1} - t_k)."""
    model = tiny(distilled=True)
    monkeypatch.setattr(model.fm_decoder, "embed_time", lambda t, g: t + g)
    monkeypatch.setattr(model, "velocity", lambda x, text, speech, t, padding: torch.ones_like(x) * t[:, None, None])
    x_0, nothing = torch.full((2, 3, 100), 0.5), torch.zeros(2, 3, 100)
    found = euler_distilled(model, x_0, nothing, nothing, 3.0, 4, 0.5)
    steps = 0 * 1 / 7 + 1 / 7 * (1 / 3 - 1 / 7) + 1 / 3 * (0.6 - 1 / 3) + 0.6 * 0.4
    torch.testing.assert_close(found, torch.full((2, 3, 100), 0.5 + 3.0 + steps))


@pytest.mark.parametrize("num_steps", [4, 8])
def test_one_pass_per_step_without_time_rule(num_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(distilled=True)
    passes = Passes(model, monkeypatch)
    sample(model, PROMPT, [50, 60], frames=9, steps=Steps(num_steps, guidance_scale=3.0))
    assert passes.batches == [1] * num_steps
    assert [g for _, g in passes.times] == [3.0] * num_steps  # the same on both sides of t = 0.5
    torch.testing.assert_close(torch.tensor([t for t, _ in passes.times]), time_grid(num_steps, 0.5)[:-1])


def test_plain_model_makes_two_passes_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny()
    passes = Passes(model, monkeypatch)
    sample(model, PROMPT, [50, 60], frames=9, steps=Steps(4, guidance_scale=1.0))
    assert passes.batches == [2] * 4 and {g for _, g in passes.times} == {None}
    sample(model, PROMPT, [50, 60], frames=9, steps=Steps(4, guidance_scale=0.0))
    assert passes.batches[4:] == [1] * 4  # no guidance, no second pass


def test_guidance_scale_changes_the_speech_of_a_student() -> None:
    model = tiny(distilled=True)
    weak, strong, again = (
        sample(model, PROMPT, [50, 60], frames=9, steps=Steps(4, guidance_scale=g)) for g in (1.0, 3.0, 3.0)
    )
    assert torch.equal(strong, again) and not torch.allclose(weak, strong, atol=1e-3)


def test_a_shorter_clip_in_a_batch_ignores_its_padding() -> None:
    model = tiny(distilled=True)
    generator = torch.Generator().manual_seed(0)
    x, z, speech = (torch.randn(2, 11, 100, generator=generator) for _ in range(3))
    padding = torch.arange(11)[None] >= torch.tensor([[11], [7]])
    both = euler_distilled(model, x, z, speech, 3.0, 4, 0.5, padding)[1, :7]
    alone = euler_distilled(model, x[1:, :7], z[1:, :7], speech[1:, :7], 3.0, 4, 0.5)[0]
    torch.testing.assert_close(both, alone, atol=1e-4, rtol=0)


def test_defaults_of_the_released_weights() -> None:
    assert Steps.default(tiny()) == Steps(16, 1.0, 0.5, 666)
    assert Steps.default(tiny(distilled=True)) == Steps(8, 3.0, 0.5, 666)
    characters = LibriTTSTokenizer()
    assert Steps.default(tiny(), characters) == Steps(8, 1.0, 0.7, 666)
    assert Steps.default(tiny(distilled=True), characters) == Steps(4, 3.0, 0.7, 666)
