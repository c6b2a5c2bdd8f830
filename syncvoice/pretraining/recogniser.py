"""Make the shipped recogniser: characters by CTC and phone classes by cross-entropy on known phone times.

Sounds are varied on the fly (our choice): speed, noise, band limits, copies through the vocoder, masked stretches of
time and frequency, so that the recogniser also understands generated speech.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from syncvoice.minidub import phrases
from syncvoice.networks.recogniser import BLANK, NO_PHONE, CtcRecogniser, features, pad_features
from syncvoice.pretraining.clip_pool import ClipPool
from syncvoice.pretraining.data import at_16k, phone_labels, sounds_of, unseen_utterances
from syncvoice.pretraining.joined_pool import AnyPool
from syncvoice.pretraining.loop import PretrainingRun, fast_arithmetic
from syncvoice.pretraining.settings import RecogniserRun, settings_of
from syncvoice.text.normalise import normalise
from syncvoice.text.phones import PHONE_CLASSES

SPEEDS = (0.9, 0.95, 1.0, 1.05, 1.1)
PHONE_WEIGHT = 1.0
TIME_MASKS, TIME_WIDTH = 2, 25  # number and largest width (frames of 10 ms)
BAND_MASKS, BAND_WIDTH = 2, 12  # number and largest width (mel bins)


def hanzi_inventory() -> str:
    """Return every character of the Mandarin phrase bank, sorted."""
    return "".join(sorted(set("".join(pair.mandarin.text for pair in phrases.phrase_bank()))))


def add_noise(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add white or low-pass noise at 8-40 dB below the speech to half of the sounds."""
    if rng.random() < 0.5:
        return audio
    noise = rng.normal(0.0, 1.0, len(audio)).astype(np.float32)
    if rng.random() < 0.5:
        noise = np.convolve(noise, np.ones(8, np.float32) / 8, mode="same")
    level = np.sqrt(np.mean(audio**2)) * 10 ** (-rng.uniform(8, 40) / 20)
    return (audio + noise * level / max(float(noise.std()), 1e-6)).astype(np.float32)


def mask(item: Tensor, rng: np.random.Generator) -> Tensor:
    """Blank random stretches of time and bands of frequency of features (T, 80), in place."""
    for _ in range(TIME_MASKS):
        width, start = int(rng.integers(0, TIME_WIDTH + 1)), int(rng.integers(0, len(item)))
        item[start : start + width] = -1.0
    for _ in range(BAND_MASKS):
        width, start = int(rng.integers(0, BAND_WIDTH + 1)), int(rng.integers(0, item.shape[1]))
        item[:, start : start + width] = -1.0
    return item


class VocoderCopies:
    """Copies sounds through the mel vocoder, as generated speech will be."""

    def __init__(self, path: Path | str) -> None:
        """Load the vocoder; few phase iterations, for speed."""
        from syncvoice.model.vocoder import Vocoder

        self._vocoder = Vocoder.load(path)
        self._vocoder.config["refine"] = min(8, self._vocoder.config["refine"])

    def __call__(self, audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a copy of 24 kHz sound; its mel is blurred a little along time in half of the cases."""
        from syncvoice.pretraining.vocoder import log_mel, magnitude, spectrum

        with torch.inference_mode():
            mel = log_mel(magnitude(spectrum(torch.from_numpy(audio)[None])))
            if rng.random() < 0.5:
                mel = functional.avg_pool1d(mel, 3, stride=1, padding=1, count_include_pad=False)
            return self._vocoder.decode(0.1 * mel.transpose(1, 2), len(audio))[0].numpy()


class Batches:
    """Draws batches from the pool: varied sounds with symbol and phone targets."""

    def __init__(
        self, pool: AnyPool | ClipPool, model: CtcRecogniser, settings: RecogniserRun, rng: np.random.Generator
    ) -> None:
        """Encode all texts once."""
        self._pool, self._rng = pool, rng
        self._size = settings.batch_size
        self._targets = [
            torch.tensor(model.encode(normalise(text, language)))
            for text, language in zip(pool.text, pool.language, strict=True)
        ]
        self._copy_share = settings.vocoder_share
        self._copies = VocoderCopies(settings.vocoder) if self._copy_share > 0 else None

    def _item(self, index: int) -> tuple[Tensor, Tensor]:
        """Return features (T, 80) and phone labels (T,) of one varied sound."""
        speed = float(self._rng.choice(SPEEDS))
        audio = self._pool.audio(index)
        if self._copies is not None and self._rng.random() < self._copy_share:
            audio = self._copies(audio, self._rng)
        item = features(add_noise(at_16k(audio, speed), self._rng))
        labels = phone_labels(self._pool.phones(index), len(item), speed)
        return mask(item, self._rng), torch.from_numpy(labels)

    def draw(self) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
        """Return features (B, T, 80), lengths (B,), symbol targets, phone labels (B, T) padded with NO_PHONE."""
        chosen = [int(i) for i in self._rng.integers(0, len(self._pool), self._size)]
        items = [self._item(index) for index in chosen]
        batch, lengths = pad_features([item for item, _ in items])
        labels = torch.full(batch.shape[:2], NO_PHONE)
        for row, (_, values) in zip(labels, items, strict=True):
            row[: len(values)] = values
        return batch, lengths, [self._targets[index] for index in chosen], labels


def losses(model: CtcRecogniser, batch: tuple[Tensor, Tensor, list[Tensor], Tensor]) -> dict[str, Tensor]:
    """Return {"ctc": per symbol, "phone": cross-entropy per frame, "phone_right": share of right frames}."""
    inputs, lengths, targets, labels = batch
    with fast_arithmetic():
        symbols, phones, trunk_lengths = model(inputs, lengths)
    log_probs = symbols.float().log_softmax(dim=-1).transpose(0, 1)  # (B, T, S) -> (T, B, S)
    target_lengths = torch.tensor([len(target) for target in targets])
    ctc = functional.ctc_loss(
        log_probs, torch.cat(targets), trunk_lengths, target_lengths, blank=BLANK, reduction="mean", zero_infinity=True
    )
    phone = functional.cross_entropy(phones.float().flatten(0, 1), labels.flatten(), ignore_index=NO_PHONE)
    valid = labels != NO_PHONE
    right = (phones.argmax(dim=-1)[valid] == labels[valid]).float().mean()
    return {"ctc": ctc, "phone": phone, "phone_right": right}


def error_counts(reference: list[str], found: list[str]) -> int:
    """Return the edit distance of two sequences."""
    previous = list(range(len(found) + 1))
    for i, expected in enumerate(reference, start=1):
        row = [i]
        for j, symbol in enumerate(found, start=1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (expected != symbol)))
        previous = row
    return previous[-1]


@torch.inference_mode()
def evaluate(model: CtcRecogniser, settings: RecogniserRun) -> dict[str, float]:
    """Transcribe test sentences of unseen voices.

    Returns:
        {"n", "wer_grid", "wer_phrases", "cer_zh": corpus rates, "phone_accuracy_en", "phone_accuracy_zh": frames}.
    """
    errors: dict[str, list[int]] = {}
    frames: dict[str, list[float]] = {}
    count = 0
    for utterance in unseen_utterances(settings, settings.check_per_voice):
        audio = at_16k(utterance.audio)
        text = normalise(utterance.text, utterance.language)
        found = model.transcribe([audio], utterance.language)[0]
        split = str.split if utterance.language == "en" else list
        key = "cer_zh" if utterance.language == "zh" else f"wer_{utterance.source}"
        totals = errors.setdefault(key, [0, 0])
        totals[0] += error_counts(split(text), split(found))
        totals[1] += len(split(text))
        best = model.phone_log_probs(audio)[0].argmax(dim=-1).numpy()
        frames.setdefault(utterance.language, []).append(
            float((best == phone_labels(utterance.phones, len(best))).mean())
        )
        count += 1
    figures = {key: round(wrong / total, 4) for key, (wrong, total) in errors.items()}
    accuracy = {f"phone_accuracy_{language}": round(float(np.mean(values)), 4) for language, values in frames.items()}
    return {"n": count, **figures, **accuracy}


def run(values: Mapping[str, Any], out: Path, start: Path | None, minutes: float | None) -> None:
    """Train the recogniser; write weights, curve and provenance.

    Args:
        values: see config/pretrain/recogniser.yaml; the inventories are added to its "config".
        out: weight file to write.
        start: weights to continue from, or None.
        minutes: time limit, or None for the steps of the settings.
    """
    settings = settings_of(RecogniserRun, values, "recogniser")
    config = {**settings.config, "hanzi": hanzi_inventory(), "phones": list(PHONE_CLASSES)}
    pretraining = PretrainingRun("recogniser", settings.model_copy(update={"config": config}), out, start, minutes)
    model = CtcRecogniser(config)
    pretraining.load_start(model)
    pool = sounds_of(settings, CtcRecogniser.load(start) if start else None)
    pretraining.metadata |= pool.provenance()
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    batches = Batches(pool, model, settings, np.random.default_rng(pretraining.seed))
    for _ in pretraining.steps():
        found = losses(model, batches.draw())
        pretraining.update(optimiser, found["ctc"] + PHONE_WEIGHT * found["phone"])
        pretraining.record({key: value.item() for key, value in found.items()})
        if pretraining.save_due():
            pretraining.save(model)
    pretraining.save(model)  # first: a check that fails must not cost the training
    # A study that trains the recogniser further judges it by the errors of its row `ground_truth` and by its alignment.
    pretraining.save(model, {} if settings.manifests is not None else evaluate(model.eval(), settings))
