"""A tiny ZipVoice and a file in the public training layout, for the tests of what reads them."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from syncvoice.model.public_layout import save_release
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.text.vocabulary import emilia_symbols
from tests.golden.det import fill

SIZES = {
    "fm_decoder_downsampling_factor": (1, 2), "fm_decoder_num_layers": (1, 2), "fm_decoder_cnn_module_kernel": (7, 3),
    "fm_decoder_dim": 32, "fm_decoder_feedforward_dim": 32, "fm_decoder_num_heads": 2, "text_encoder_num_layers": 1,
    "text_encoder_dim": 16, "text_encoder_feedforward_dim": 32, "text_encoder_cnn_module_kernel": 3,
    "text_encoder_num_heads": 2, "text_embed_dim": 16, "time_embed_dim": 16, "query_head_dim": 8, "value_head_dim": 4,
}  # fmt: skip


class DynamicBucketingSampler:
    """Like the sampler objects of public training files: unknown to the reader."""

    def __init__(self) -> None:
        self.epoch, self.lengths = 3, {"a": [1.0, 2.0]}


def tiny(distilled: bool = False) -> ZipVoice:
    """A model with deterministic weights."""
    model = ZipVoice(ZipVoiceConfig.of({**SIZES, "guidance_scale_embed": distilled})).eval()
    model.load_state_dict(fill(model.state_dict(), gain=0.5))
    return model


def write_training_folder(
    folder: Path, model: ZipVoice, batch: int = 4321, average: dict[str, Tensor] | None = None
) -> Path:
    """Write the public training layout with foreign objects, replacing the plain weights; returns the weight file."""
    file = save_release(folder, model, emilia_symbols(), safetensors=False)
    sampler = DynamicBucketingSampler()
    content: dict[str, Any] = {
        "model": OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items()),
        "model_avg": average or {k: v * 0.5 for k, v in model.state_dict().items()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.02, "params": [0]}]},
        "scheduler": {"batch": batch, "epoch": 2}, "grad_scaler": None, "sampler": sampler,
        "world": [sampler, Path("x")],
        "batch_idx_train": batch, "average_period": 200,
    }  # fmt: skip
    torch.save(content, file)
    return file
