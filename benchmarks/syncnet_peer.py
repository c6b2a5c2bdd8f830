"""The package syncnet-python for the benchmarks: import without the programs it does not need here, same weights.

The machine of the project has no ffmpeg. The package's calls of it (cut and join sound, take a film apart) are replaced
by stand-ins inside this process, which cost less than starting a program: the ratios are to the package's advantage.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import soundfile
import torch

from syncvoice.networks.syncnet import V2, SyncNet


def package() -> Any:
    """Import the package; modules that it imports for steps we do not run become empty."""
    for name in ("ffmpeg", "torchvision"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = ModuleType(name)
    return importlib.import_module("syncnet_python")


def pair_of_networks(peer: Any, seed: int = 0) -> tuple[Any, SyncNet]:
    """Their network and ours with the same random weights."""
    torch.manual_seed(seed)
    theirs = peer.SyncNetModel(1024).eval()
    ours = SyncNet(V2).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


class Peer:
    """The package's crop, file and network stages for one clip, as its pipeline strings them together."""

    def __init__(self, peer: Any, network: Any, folder: Path) -> None:
        """Work in a folder."""
        self._module = sys.modules["syncnet_python.syncnet_pipeline"]
        self._pipeline = self._module.SyncNetPipeline.__new__(self._module.SyncNetPipeline)
        self._pipeline.cfg = self._module.PipelineConfig()
        self._instance = peer.SyncNetInstance(network, device="cpu")
        self._folder = folder
        self._module.subprocess = SimpleNamespace(run=self._stand_in, CalledProcessError=OSError)

    def score(self, frames: list[str], frame_numbers: np.ndarray, boxes: np.ndarray, sound: Path) -> dict[str, Any]:
        """Score a clip whose frames lie on disk as JPEG, with a given face track."""
        crops = self._folder / "crops"
        crops.mkdir(parents=True, exist_ok=True)
        for old in crops.iterdir():
            old.unlink()
        film = self._pipeline._crop({"frame": frame_numbers, "bbox": boxes}, frames, str(sound), self._folder / "track")
        capture, number = cv2.VideoCapture(film), 0
        while (found := capture.read())[0]:
            number += 1
            cv2.imwrite(str(crops / f"{number:06d}.jpg"), found[1])
        audio, rate = soundfile.read(self._folder / "track.wav", dtype="int16")
        soundfile.write(crops / "audio.wav", audio, rate, subtype="PCM_16")
        options = SimpleNamespace(tmp_dir=str(crops), batch_size=self._pipeline.cfg.batch_size, vshift=15)
        offset, confidence, distance = self._instance.evaluate(options)
        return {"offset": offset, "lse_c": confidence, "lse_d": distance, "crops": crops}

    def _stand_in(self, command: list[str], **_: Any) -> None:
        """What the two calls of ffmpeg do: cut the sound, or join film and sound (the film's copy is enough)."""
        source, target = command[command.index("-i") + 1], command[-1]
        if "-ss" in command:
            audio, rate = soundfile.read(source, dtype="int16")
            start, end = (float(command[command.index(flag) + 1]) for flag in ("-ss", "-to"))
            soundfile.write(target, audio[round(start * rate) : round(end * rate)], rate, subtype="PCM_16")
        else:
            Path(target).write_bytes(Path(source).read_bytes())
