"""Start weights that have learned with lips and face, from a fine-tuned model, and its fusion as the model to dub with.

Pre-training can so end with a fine-tuning with lips and face (config/ablations/dubbing_start.yaml). What it alone uses,
the fusion of timing hints and the phone head, stays as it was.
"""

from pathlib import Path
from typing import Any

from syncvoice.dubbing.model import save_difference
from syncvoice.errors import UserError
from syncvoice.files import read_json, sha256_of
from syncvoice.model.start import PARTS, PREFIX, start_digest
from syncvoice.records import weights
from syncvoice.records.loss_curve import read_loss_curve, write_loss_curve

LOG_EVERY = 50  # steps in a line of the curve


def make_start_weights(model: Path, start: Path, folder: Path) -> None:
    """Write dubbing_start.{safetensors,json,csv} and dubbing.{safetensors,json} into a folder.

    Args:
        model: folder of an exported recipe that was fine-tuned from `start`.
        start: start weights of this project.
        folder: receives the files.

    Raises:
        UserError: the model was fine-tuned from other weights, or has other sizes.
    """
    metadata, before = read_json(model / "metadata.json"), weights.read_metadata(start)
    begun, given = metadata.get("start_sha256"), start_digest(start)
    if begun != given:
        raise UserError(
            f"{model} was fine-tuned from weights {str(begun)[:12]}, {start} has {given[:12]}; name the file that it"
            " was fine-tuned from"
        )
    state, trained = weights.read_state_dict(start), weights.read_state_dict(model / "model.safetensors")
    learned = {PREFIX + name: value for name, value in trained.items() if name.startswith(PARTS)}
    if strange := sorted(name for name in learned if name not in state or state[name].shape != learned[name].shape):
        raise UserError(f"{model} has other sizes than {start}: {', '.join(strange[:3])}; train it from these weights")
    curve = [*read_loss_curve(start.with_suffix(".csv")), *_means(model / "curve.csv", run=len(before["chain"]))]
    out = folder / "dubbing_start.safetensors"
    weights.save_weights(out, {**state, **learned})
    write_loss_curve(out.with_suffix(".csv"), curve, ("run", "step"))
    kept = ("recipe", "steps", "clips", "hours", "start_sha256")
    run = {**{name: metadata[name] for name in kept}, "finished": True}
    figures = {"flow_loss_last_steps": float(curve[-1]["weighted"])}
    facts = {"name": out.stem, "curve": out.with_suffix(".csv").name, "weights_sha256": sha256_of(out)}
    weights.write_metadata(out, {**before, **facts, "chain": [*before["chain"], run], "figures": figures})
    save_difference(model, out, folder / "dubbing.safetensors")


def _means(path: Path, run: int) -> list[dict[str, Any]]:
    """Means of a fine-tuning's loss over `LOG_EVERY` steps, as lines of the curve of the start weights."""
    losses = [float(row["loss"]) for row in read_loss_curve(path)]
    ends = [*range(LOG_EVERY, len(losses), LOG_EVERY), len(losses)]
    parts = [losses[max(0, end - LOG_EVERY) : end] for end in ends]
    return [
        {"run": run, "step": end, "weighted": f"{sum(part) / len(part):.5g}"}
        for end, part in zip(ends, parts, strict=True)
    ]
