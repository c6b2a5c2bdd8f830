"""UTMOS22 strong learner (Saeki et al. 2022, arXiv 2204.02152): wav2vec 2.0 base, one BLSTM, a score per frame.

State-dict keys are those of the public file utmos22_strong_step7459_v1.pt (SpeechMOS), whose embeddings of data domain
and judge are constants. The trunk is checked against the package transformers.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from syncvoice.networks.wav2vec2 import TrunkConfig, Wav2Vec2
from syncvoice.records.weights import open_weights

CONSTANTS = 128  # width of the embeddings of domain and judge
RECURRENT = 512  # width of the BLSTM per direction
PROJECTED = 2048
UNUSED_KEYS = ("wav2vec2.mask_emb",)  # of training


class UtmosStrong(nn.Module):
    """Sound to predicted mean opinion score."""

    def __init__(self, config: TrunkConfig | None = None) -> None:
        """Make a network with random weights; the default trunk is wav2vec 2.0 base."""
        super().__init__()
        self.wav2vec2 = Wav2Vec2(config or TrunkConfig())
        self.domain_emb = nn.Parameter(torch.zeros(1, CONSTANTS))
        self.judge_emb = nn.Parameter(torch.zeros(1, CONSTANTS))
        inputs = self.wav2vec2.config.dim + 2 * CONSTANTS
        self.blstm = nn.LSTM(inputs, RECURRENT, batch_first=True, bidirectional=True)
        self.projection = nn.Sequential(nn.Linear(2 * RECURRENT, PROJECTED), nn.ReLU(), nn.Linear(PROJECTED, 1))

    def forward(self, audio: Tensor) -> Tensor:
        """Predict scores.

        Args:
            audio: equally long sounds (B, samples) at 16 kHz in [-1, 1], at least 400 samples. The first norm of the
                trunk runs over time, so padding would change the score; a batch must not be padded.

        Returns:
            (B,) around 1 to 5.
        """
        features = self.wav2vec2(audio)[-1]
        constants = torch.cat([self.domain_emb, self.judge_emb], dim=1)
        joined = torch.cat([features, constants[:, None].expand(*features.shape[:2], -1)], dim=2)
        scores = self.projection(self.blstm(joined)[0])  # (B, frames, 1)
        return scores.mean(dim=(1, 2)) * 2 + 3

    @classmethod
    def load(cls, path: Path | str, ignored: Iterable[str] = UNUSED_KEYS) -> "UtmosStrong":
        """Read the public file, in eval mode.

        Args:
            path: plain state dict.
            ignored: shell-style patterns of keys that may be left over.

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        return open_weights(path).into(cls(), ignored)
