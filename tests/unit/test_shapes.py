"""Batches of few shapes: padding a batch further changes no clip's prediction."""

import torch
from torch import Tensor

from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig, pad_stack, pad_visual
from syncvoice.training.shapes import FRAMES, TOKENS, padded, symbol_rows
from tests.unit.test_model import DIMS, TINY, make_model


def velocity(model: SyncVoice, script: Script, x: Tensor) -> Tensor:
    use = {name: torch.ones(len(x), dtype=torch.bool) for name in DIMS}
    z_tv = model.fuse(model.text_condition(script), model.adapt_visual(script), script, use)
    t = torch.full((len(x),), 0.5)
    time_emb = model.backbone.fm_decoder.embed_time(t) + model.embed_speaker(script)
    return model.backbone.velocity(x, z_tv, torch.zeros_like(x), time_emb, model.padding(script), None, t)


def test_padding_a_batch_further_changes_no_prediction() -> None:
    torch.manual_seed(1)
    model = make_model(random_fusion=True)
    tokens, lengths = [[1, 2, 3, 4], [4, 3, 2, 1, 2, 3]], [37, 60]
    segments = [((0, 0), (len(ids), n)) for ids, n in zip(tokens, lengths, strict=True)]
    visual = {name: pad_visual([torch.randn(10, dim), torch.randn(16, dim)]) for name, dim in DIMS.items()}
    references = [torch.randn(30, TINY.feat_dim), torch.randn(45, TINY.feat_dim)]
    x = [torch.randn(n, TINY.feat_dim) for n in lengths]

    def predicted(widen: bool) -> Tensor:
        fill = padded if widen else (lambda y: y)
        x_t, reference = fill(pad_stack(x)), fill(pad_stack(references))
        least = (symbol_rows(tokens), x_t.shape[1]) if widen else (0, 0)
        reference_lengths = torch.tensor([len(r) for r in references])
        embedding = torch.ones(2, model.config.pretrained_speaker_dim)
        return velocity(
            model, Script(tokens, segments, visual, reference, reference_lengths, embedding, least=least), x_t
        )

    with torch.no_grad():
        narrow, wide = predicted(False), predicted(True)
    assert wide.shape[1] == 2 * FRAMES and symbol_rows(tokens) == TOKENS
    for row, n in enumerate(lengths):
        torch.testing.assert_close(wide[row, :n], narrow[row, :n], atol=2e-5, rtol=1e-4)


def test_a_model_knows_no_lengths_by_itself() -> None:
    assert Script([[1]], [((0, 0), (1, 5))], {}).n_frames() == 5
    assert SyncVoice(SyncVoiceConfig(TINY)).padding(Script([[1]], [((0, 0), (1, 5))], {}, least=(0, 8))).sum() == 3
