"""One module decides device and arithmetic; objective and sampler hide no tensor of another device."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from syncvoice import device
from syncvoice.errors import UserError
from syncvoice.generation.speech import Request, Sampling, Voice, sample_mels
from syncvoice.model.guidance import Scales
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.training.module import FineTuning
from syncvoice.training.objective import Batch, predict
from tests.unit.test_model import TINY
from tests.unit.training_study import recipe, start_weights

META = torch.device("meta")
SEES = {"lip": 5, "face": 2}
REPOSITORY = Path(__file__).resolve().parents[2]


def model() -> SyncVoice:
    """A tiny model on the meta device: any step that reads a value or meets another device's tensor fails."""
    return SyncVoice(SyncVoiceConfig(TINY, SEES, 8, ("pretrained", "learnable"), 12, 16)).to(META)


def script() -> Script:
    """Two clips of unequal length, one with context."""
    return Script(
        [[1, 2, 3], [4]], [((1, 10), (2, 15)), ((0, 0), (1, 12))],
        {name: torch.randn(2, 4, dim) for name, dim in SEES.items()},
        torch.randn(2, 20, 100), torch.tensor([20, 15]), torch.randn(2, 12),
    )  # fmt: skip


@pytest.mark.parametrize("weight", ["uniform", "noise_share"])
def test_objective_and_its_gradients_stay_on_the_device(weight: str) -> None:
    net = model().train()
    batch = Batch(["a", "b"], script().to(META), torch.randn(2, 25, 100, device=META), torch.ones(2, device=META))
    loss = predict(net, batch, {"text": 0.2, "lip": 0.2, "face": 0.2}).loss(weight)
    loss.backward()
    assert loss.device == META
    assert all(p.grad is not None and p.grad.device == META for p in net.fusion.parameters())


@pytest.mark.parametrize("voice", ["context", "speaker"])
def test_sampler_stays_on_the_device(voice: str) -> None:
    net = model().eval()
    reference = Voice([1, 2], torch.randn(20, 100), torch.randn(12))
    visual = {name: torch.randn(4, dim) for name, dim in SEES.items()}
    requests = [Request("a", [1, 2, 3], reference, visual, 4, 1), Request("b", [3], reference, visual, 4, 1)]
    requests[1] = replace(requests[1], n_frames=6, visual={k: torch.randn(6, d) for k, d in SEES.items()})
    steps: list[int] = []
    mels = sample_mels(net, requests, Sampling(Scales(2.0, lip=2.0, face=1.5), 3, voice=voice), lambda: steps.append(1))
    assert [tuple(mel.shape) for mel in mels] == [(15, 100), (23, 100)]
    assert all(mel.device == META for mel in mels) and len(steps) == 3


def test_training_step_waits_for_no_device(tmp_path: Path) -> None:
    start_weights(tmp_path)
    module = FineTuning(model(), recipe(tmp_path, log_every=100, average_from=1.0), {})
    module.to(META)
    batch = Batch(["a", "b"], script().to(META), torch.randn(2, 25, 100, device=META), torch.ones(2, device=META))
    optimiser = SimpleNamespace(param_groups=[{"lr": 0.1}])
    with (
        mock.patch.object(FineTuning, "global_step", 5), mock.patch.object(FineTuning, "log"),
        mock.patch.object(FineTuning, "optimizers", return_value=optimiser),
    ):  # fmt: skip
        losses = [module.training_step(batch, n) for n in range(3)]
        assert all(loss.device == META for loss in losses) and len(module._unread) == 3 and not module.rows
        with pytest.raises((RuntimeError, NotImplementedError)):  # reading them would wait for a real card
            module.read_losses()


def test_script_keeps_all_that_it_says_on_another_device() -> None:
    said = script()
    said.parts = [((1, 5), (1, 10)), ((1, 12),)]
    said.keep_branches = {"learnable": torch.ones(2, dtype=torch.bool)}
    moved = said.to(META)
    assert (moved.tokens, moved.segments, moved.parts) == (said.tokens, said.segments, said.parts)
    tensors = [moved.reference, moved.reference_lengths, moved.reference_embedding]
    tensors += [*moved.visual.values(), *moved.keep_branches.values()]
    assert len(tensors) == 6 and all(tensor.device == META for tensor in tensors)


def test_device_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.VARIABLE, "cpu")
    with mock.patch("torch.cuda.is_available", return_value=True):
        assert device.device_kind() == "cpu"  # a job that asked for no card takes none
        assert device.device_kind("auto") == "cuda"
    with mock.patch("torch.cuda.is_available", return_value=False):
        with pytest.raises(UserError, match="'cuda' is not to be had"):
            device.device_kind("cuda")
        with mock.patch("torch.backends.mps.is_available", return_value=True):
            assert device.device_kind("auto") == "mps"
    with pytest.raises(UserError, match="'gpu' is unknown; expected one of auto, cpu, cuda, mps"):
        device.device_kind("gpu")


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_bfloat16_only_where_a_card_multiplies_it(capability: tuple[int, int], expected: str) -> None:
    with mock.patch("torch.cuda.get_device_capability", return_value=capability):
        assert device.resolve_precision("auto", "cuda") == expected
        assert device.resolve_precision("fp32", "cuda") == "fp32"
    assert device.resolve_precision("auto", "mps") == "fp32"


def test_processes_take_different_cards(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from syncvoice.device import card_of_process\n"
        f"print(card_of_process(3, Path({str(tmp_path)!r})), flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": REPOSITORY}
    running = []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", code], **pipes)
        running.append((process, process.stdout.readline().strip()))
    assert [card for _, card in running] == ["0", "1", "2"]
    running[0][0].communicate("")  # ends: its card is free again
    process = subprocess.Popen([sys.executable, "-c", code], **pipes)
    assert process.stdout.readline().strip() == "0"
    for last in (process, running[1][0], running[2][0]):
        last.communicate("")


def test_no_other_module_chooses_a_device() -> None:
    found = [
        str(path)
        for path in (REPOSITORY / "syncvoice").rglob("*.py")
        if "cuda.is_available" in path.read_text(encoding="utf-8") and path.name != "device.py"
    ]
    assert found == []
