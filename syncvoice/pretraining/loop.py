"""What the pre-training runs share: step and time limits, learning rate, loss curve, saving, provenance.

A run ends after `steps` steps or `minutes` minutes, whichever comes first. Without a time limit the result depends on
the settings only (same machine, same thread count). Weights are written as often as `save_minutes` says, so that other
parts can use an under-trained file while the run goes on. Under torchrun several processes make the file together.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.device import resolve_precision
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.pretraining.processes import Processes
from syncvoice.pretraining.settings import RunSettings
from syncvoice.provenance import code_digest
from syncvoice.records import weights
from syncvoice.records.loss_curve import read_loss_curve, write_loss_curve
from syncvoice.seeding import seed_everything, seed_of

if TYPE_CHECKING:
    import torch
    from torch import nn

log = logging.getLogger(__name__)

WARM_UP_STEPS = 50
LOG_EVERY = 50
FINAL_RATE = 0.02  # of the highest learning rate
NON_FINITE_LIMIT = 10  # steps in a row


class PretrainingRun:
    """Bookkeeping of one run that makes or continues the weights `out`."""

    def __init__(self, name: str, settings: RunSettings, out: Path, start: Path | None, minutes: float | None) -> None:
        """Prepare a run: seeds, thread count and the history of earlier runs.

        Args:
            name: of the weights, e.g. "vocoder"; the module is syncvoice.pretraining.NAME.
            settings: of the run.
            out: weight file to write.
            start: weight file to continue from, None to start from nothing.
            minutes: time limit, None for none.
        """
        import torch

        self.name, self.settings, self.out, self.start, self.minutes = name, settings, Path(out), start, minutes
        self._read_history()
        self.processes = Processes()
        shared = seed_of(settings.seed, name, len(self.earlier)) % 2**31
        rank = self.processes.rank
        self.seed = seed_of(shared, "process", rank) % 2**31 if rank else shared  # the first draws what one alone would
        self.step = 0
        self.metadata: dict[str, Any] = {}
        self._code_digest = code_digest(f"syncvoice.pretraining.{name}")  # of the code that runs, not of later edits
        self._began = self._saved = time.monotonic()
        self._progress = 0.0
        self._sums: dict[str, float] = {}
        self._counted = self._non_finite = 0
        torch.set_num_threads(settings.threads)
        seed_everything(shared)  # a network that starts from nothing is the same in all processes

    def _read_history(self) -> None:
        """Read what the start weights say of their runs, before `out`, maybe the same file, is replaced."""
        start = self.start
        self.earlier = weights.read_metadata(start, missing_ok=True).get("chain", []) if start else []
        self.start_digest = sha256_of(start) if start else None
        self.curve = _read_curve(start) if start else []

    def steps(self) -> Iterator[int]:
        """Yield step numbers until a limit is reached, with a progress bar."""
        from tqdm import tqdm

        if self.processes.rank:
            seed_everything(self.seed)
        total = self.settings.steps
        with tqdm(total=total, desc=self.name, mininterval=5.0, disable=None) as bar:
            while True:
                self._progress = self.processes.agreed(self._share_done())
                if self._progress >= 1.0:
                    return
                yield self.step
                self.step += 1
                bar.update()

    def progress(self) -> float:
        """Return how much of the run was done when this step began, 0..1; the same in all processes."""
        return self._progress

    def _share_done(self) -> float:
        """Return the larger share of steps and, with a limit, of time."""
        share = self.step / self.settings.steps
        if self.minutes is None:
            return share
        return max(share, (time.monotonic() - self._began) / 60 / self.minutes)

    def learning_rate(self) -> float:
        """Return the rate of this step: linear warm-up, then a half cosine down to a fiftieth."""
        highest = self.settings.learning_rate
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        decay = 0.5 * (1 + math.cos(math.pi * min(1.0, self.progress())))
        return highest * warm * (FINAL_RATE + (1 - FINAL_RATE) * decay)

    def load_start(self, model: "nn.Module") -> None:
        """Fill the model from the start weights, if the run has any."""
        if self.start:
            self._read_history()  # again: preparing the data takes minutes, and an earlier run may still be saving
            weights.load_strict(model, weights.read_state_dict(self.start), self.start)

    def update(
        self,
        optimiser: "torch.optim.Optimizer | Sequence[torch.optim.Optimizer]",
        loss: "torch.Tensor",
        clip: float = 5.0,
    ) -> None:
        """Do one step on `loss` with the current rate and clipped gradients; skip it if it is not finite.

        With several processes the gradients are their mean, and all do or skip the same step.

        Args:
            optimiser: or several, each for its own part of the parameters.
            loss: a scalar.
            clip: highest norm of the gradient.

        Raises:
            UserError: the loss was not finite ten times in a row.
        """
        import torch

        optimisers = [optimiser] if isinstance(optimiser, torch.optim.Optimizer) else list(optimiser)
        groups = [group for one in optimisers for group in one.param_groups]
        parameters = [p for group in groups for p in group["params"]]
        for one in optimisers:
            one.zero_grad()
        loss.backward()
        loss = self.processes.average(parameters, loss)
        norm = torch.nn.utils.clip_grad_norm_(parameters, clip)
        finite = bool(torch.isfinite(loss)) and bool(torch.isfinite(norm))
        self._non_finite = 0 if finite else self._non_finite + 1
        if self._non_finite >= NON_FINITE_LIMIT:
            raise UserError(f"pretrain {self.name}: loss not finite at step {self.step}; lower learning_rate")
        if finite:
            for group in groups:
                group["lr"] = self.learning_rate()
            for one in optimisers:
                one.step()

    def record(self, losses: Mapping[str, float]) -> None:
        """Add the losses of a step; means over 50 steps go to the curve and the log."""
        for key, value in losses.items():
            self._sums[key] = self._sums.get(key, 0.0) + float(value)
        self._counted += 1
        if self._counted == LOG_EVERY:
            row = {key: f"{value / self._counted:.5g}" for key, value in self._sums.items()}
            row = {"run": str(len(self.earlier)), "step": str(self.step + 1), **row}
            self.curve.append(row)
            if self.processes.rank == 0:
                log.info("%s", " ".join(f"{key}={value}" for key, value in row.items()))
            self._sums, self._counted = {}, 0

    def save_due(self) -> bool:
        """Whether `save_minutes` (default 3) have passed since the last save."""
        return time.monotonic() - self._saved > 60 * self.settings.save_minutes

    def save(self, model: "nn.Module", figures: Mapping[str, Any] | None = None) -> None:
        """Write weights, loss curve and provenance; each file is replaced atomically.

        With several processes the first one writes; the curve holds its own losses.

        Args:
            model: its state dict is written as float16.
            figures: results of the run's own check; None while the run goes on.
        """
        if self.processes.rank:
            return
        weights.save_weights(self.out, model.state_dict())
        write_loss_curve(self.out.with_suffix(".csv"), self.curve, ("run", "step"))
        this_run = {
            "settings": _without_folders(self.settings.model_dump(mode="json", exclude_none=True)),
            "seed": self.seed,
            "processes": self.processes.count,
            "steps": self.step,
            "minutes_limit": self.minutes,
            "start_sha256": self.start_digest,
            "code_digest": self._code_digest,
            "finished": figures is not None,
        }
        metadata = {
            "name": self.name,
            "config": self.settings.config,
            "parameters": sum(p.numel() for p in model.parameters()),
            "weights_sha256": sha256_of(self.out),
            "curve": self.out.with_suffix(".csv").name,
            "figures": dict(figures or {}),
            "chain": [*self.earlier, this_run],
            **self.metadata,
        }
        weights.write_metadata(self.out, metadata)
        self._saved = time.monotonic()


def fast_arithmetic() -> "torch.autocast":
    """Return a context in which matrix products use bfloat16 on processors that are fast at it."""
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=resolve_precision("auto", "cpu") == "bf16")


def _without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep only the names of files: provenance holds no path of the machine that trained."""

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(one) for one in value]
        return Path(value).name if isinstance(value, str) and "/" in value else value

    return {key: name(value) for key, value in settings.items()}


def _read_curve(start: Path) -> list[dict[str, str]]:
    """Read the loss curve beside the start weights; [] if there is none."""
    path = Path(start).with_suffix(".csv")
    return read_loss_curve(path) if path.exists() else []
