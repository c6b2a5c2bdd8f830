"""`syncvoice measure-voices`: make the table of stock voices that `syncvoice dub` finds the nearest one in."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", type=Path, required=True, help="table to write (.safetensors, with a .json beside it)")


def run(args: argparse.Namespace) -> None:
    """Let every stock voice speak, and measure it.

    Raises:
        UserError: the TTS model or the speaker network is missing.
    """
    import torch

    from syncvoice.files import sha256_of
    from syncvoice.networks.ge2e import Ge2eNetwork
    from syncvoice.networks.kokoro import Kokoro, styles
    from syncvoice.provenance import code_digest
    from syncvoice.records import weights as checkpoints
    from syncvoice.timed_speech.voices import SENTENCES, measure_stock

    encoder = Ge2eNetwork.installed()
    stock = measure_stock(Kokoro.from_assets(), encoder, styles())
    state = {"embeddings": torch.from_numpy(stock.embeddings), "log_pitch": torch.from_numpy(stock.log_pitch)}
    checkpoints.save_weights(args.out, state)
    checkpoints.write_metadata(
        args.out,
        {
            "name": "stock_voices",
            "config": {"names": list(stock.names), "sentences": list(SENTENCES)},
            "measured_by": {"ge2e_resemblyzer": encoder.weights_sha256},
            "voices": "Kokoro-82M v1.0 (hexgrad, Apache-2.0)",
            "weights_sha256": sha256_of(args.out),
            "code_digest": code_digest("syncvoice.commands.measure_voices"),
        },
    )
