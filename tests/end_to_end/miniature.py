"""A full study in miniature: its real configuration, a few GRID clips, random weights in the public layouts.

Sizes that a file tells (ZipVoice, Whisper) are tiny; WavLM and UTMOS have sizes of their own in our code, which
`shrink_networks` makes small in the processes of the jobs. Everything else has its public size.
"""

import csv
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from syncvoice.datasets.folder import read_align
from syncvoice.model.public_layout import save_release
from syncvoice.model.vocoder import Vocoder
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.networks import ecapa, utmos
from syncvoice.networks.camplus import CAMPPlus
from syncvoice.networks.lip_frontend import LipFrontEnd
from syncvoice.networks.s3fd import S3FD
from syncvoice.networks.syncnet import V2, SyncNet
from syncvoice.networks.wav2vec2 import TrunkConfig
from syncvoice.networks.wavlm import WavLM
from syncvoice.text.grid_grammar import sentence_of
from syncvoice.text.vocabulary import character_symbols, emilia_symbols
from tests.unit.clip_files import real_data
from tests.unit.public_weights import SIZES

REPOSITORY = Path(__file__).resolve().parents[2]
CONVOLUTIONS = tuple((32, kernel, stride) for _, kernel, stride in TrunkConfig.convolutions)
SMALL = partial(TrunkConfig, 32, 64, 4, 2, CONVOLUTIONS, position_kernel=16, position_groups=4)
SPLITS = {"train": [2, None], "test": [0, 1], "reference": [1, 2]}  # of each speaker one is dubbed, one lends its voice
MANDARIN = ("今天的天气很好", "请把窗户打开", "我们去公园散步", "这本书很有意思")


def shrink_networks() -> None:
    """Make the trunks small whose sizes no file tells."""
    ecapa.WavLM = partial(WavLM, SMALL(frame_norm=True, norm_first=True), 32, 40)  # type: ignore[misc]
    utmos.TrunkConfig = SMALL  # type: ignore[misc]


def write_weights(folder: Path, wanted: set[str]) -> None:
    """Write random weights of others where the registry puts them."""
    torch.manual_seed(0)
    for name in sorted(wanted & set(MAKERS)):
        content = MAKERS[name]()
        torch.save(content, folder / name)
    for name, symbols in (("zipvoice_libritts", character_symbols()), ("zipvoice_emilia", emilia_symbols())):
        if f"{name}/model.pt" in wanted:
            sizes = ZipVoiceConfig.of({**SIZES, "vocab_size": len(symbols)})
            save_release(folder / name, ZipVoice(sizes), symbols, safetensors=False)


def whisper(n_mels: int, n_vocab: int) -> dict[str, Any]:
    """A Whisper file with tiny widths; its windows end after a few tokens."""
    from syncvoice.metrics.words.whisper_transcripts import import_whisper

    package = import_whisper()
    dims = {"n_mels": n_mels, "n_audio_ctx": 1500, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 1}
    dims |= {"n_vocab": n_vocab, "n_text_ctx": 24, "n_text_state": 16, "n_text_head": 2, "n_text_layer": 1}
    network = package.model.Whisper(package.model.ModelDimensions(**dims))
    network.decoder.token_embedding.weight.data[-1501:] = 0  # times are unlikely, so it says words
    return {"dims": dims, "model_state_dict": network.state_dict()}


def face_detector() -> dict[str, torch.Tensor]:
    """An S3FD that sees one face at the same place of every frame, so that there is a track to crop."""
    network = S3FD()
    for level, layer in enumerate(network.conf):
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data[:] = torch.tensor([*[0.0] * (len(layer.bias) - 1), 9.0 if level == 3 else -9.0])
    for layer in network.loc:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return network.state_dict()


def speaker_network() -> dict[str, Any]:
    """WavLM with its head, under the names of the public file."""
    state = ecapa.WavLMSpeakerEncoder(ecapa.WavLM()).state_dict()
    return {"model": {k.replace("trunk.", ecapa.TRUNK, 1).removeprefix("head."): v for k, v in state.items()}}


MAKERS: dict[str, Callable[[], Any]] = {
    "vocos_mel_24khz": lambda: Vocoder().state_dict(),
    "lrw_resnet18": lambda: {"model_state_dict": LipFrontEnd("swish").state_dict()},
    "syncnet_v2": lambda: SyncNet(V2).state_dict(),
    "s3fd": face_detector,
    "campplus_zh_en": lambda: CAMPPlus().state_dict(),
    "whisper_base": lambda: whisper(80, 51865),
    "whisper_large_v3": lambda: whisper(128, 51866),
    "wavlm_large_finetune": speaker_network,
    "utmos22_strong": lambda: utmos.UtmosStrong().state_dict(),
}


def grid_clips(folder: Path, counts: dict[str, int]) -> bool:
    """Copy clips of GRID with their word times to FOLDER/SPEAKER; False where there are too few."""
    for speaker, count in counts.items():
        files = sorted((real_data("grid") / speaker).glob("*.mpg"))[:count]
        if len(files) < count:
            return False
        (folder / speaker).mkdir(parents=True)
        for file in files:
            for copied in (file, file.with_suffix(".align")):
                if copied.exists():
                    shutil.copy2(copied, folder / speaker)
    return True


def as_lrs3(clips: Path, folder: Path) -> None:
    """Lay clips out as LRS3 does: those of the first speaker in all parts, of the others in test."""
    for number, speaker in enumerate(sorted(path for path in clips.iterdir() if path.is_dir())):
        for place, file in enumerate(sorted(speaker.glob("*.mpg"))):
            part = "test" if number or place < 2 else "pretrain" if place == 2 else "trainval"
            target = folder / part / f"{speaker.name}{part}" / f"{place:05d}.mpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
            words = read_align(file.with_suffix(".align")) or (("bin", 0.5, 0.8), ("blue", 0.8, 1.2))
            lines = [
                "Text:  " + " ".join(word for word, _, _ in words).upper(),
                "Conf:  5",
                "",
                "WORD START END ASDSCORE",
            ]
            lines += [f"{word.upper()} {start:.2f} {end:.2f} 5.0" for word, start, end in words]
            target.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def as_table(clips: Path, folder: Path, rows: list[tuple[str, str, str, int]]) -> None:
    """Lay clips out as a folder with clips.csv; a row is speaker, split, language and the place among its clips."""
    folder.mkdir(parents=True)
    with open(folder / "clips.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["media", "text", "language", "speaker", "split", "translation_text"])
        for number, (speaker, split, language, place) in enumerate(rows):
            media = sorted((clips / speaker).glob("*.mpg"))[place]
            shutil.copy2(media, folder / f"{split}_{speaker}_{media.name}")
            said = MANDARIN[number % len(MANDARIN)] if language == "zh" else sentence_of(media.stem)
            translation = MANDARIN[number % len(MANDARIN)] if language == "en" else ""
            name = f"{split}_{speaker}_{media.name}"
            writer.writerow([name, said, language, speaker, split, translation])


def change_yaml(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a YAML file in place."""
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


def few_shards(values: dict[str, Any]) -> None:
    """Few shards and, where clips are chosen by rank, few clips."""
    for dataset in values["datasets"].values():
        for name, split in dataset["splits"].items():
            split["shards"] = 2 if name == "train" else 1
            if dataset["kind"] == "grid":
                split["settings"]["ranks"] = SPLITS[name]


def few_steps(values: dict[str, Any]) -> None:
    """Two steps of training; how a step is made stays as it is."""
    for recipe in values["recipes"].values():
        recipe |= {"steps": 2, "batch_seconds": 12.0, "device_seconds": 6.0, "checkpoint_every": 1}
        recipe |= {"threads": 1, "average_period": 1, "keep_checkpoints": 0}


def two_steps_of_sampling(values: dict[str, Any]) -> None:
    """Sample in two steps; the rest of the study's sampling stays."""
    values["experiment_defaults"] = {**values.get("experiment_defaults", {}), "steps": 2}


def unverified(values: dict[str, Any]) -> None:
    """Random weights have no published digest, and nothing is fetched."""
    for entry in values["assets"].values():
        entry |= {"sha256": "unverified", "sources": []}


def project(folder: Path) -> Path:
    """A folder with workflow and configuration, the latter cut to a few steps and shards."""
    for name in ("workflow", "config"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / "weights").symlink_to(REPOSITORY / "weights")
    shutil.copy2(REPOSITORY / "environment.yml", folder)
    for name in ("grid", "lrs3", "translation"):
        change_yaml(folder / "config" / "datasets" / f"{name}.yaml", few_shards)
        change_yaml(folder / "config" / f"{name}.yaml", two_steps_of_sampling)
    for name in ("grid", "lrs3", "bilingual"):
        change_yaml(folder / "config" / "recipes" / f"{name}.yaml", few_steps)
    change_yaml(folder / "config" / "assets.yaml", unverified)
    (folder / "resources" / "assets").mkdir(parents=True)
    return folder
