"""Whisper: the published protocols, and batches that give the transcripts of `whisper.transcribe` clip by clip."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES, METRICS, metrics_of_file
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Sources
from syncvoice.metrics.scoring import Work, scored
from syncvoice.metrics.words import protocols
from syncvoice.metrics.words.counting import ErrorCounts
from syncvoice.metrics.words.whisper_transcripts import WhisperTranscriber, load_model
from syncvoice.metrics.words.whisper_wer import WhisperBaseScorer, WhisperLargeScorer, WhisperSeedTtsScorer
from syncvoice.records.scores import write_rows
from tests.unit.spoken import noise, script, speech, utterance

PEER = {"language": "en", "temperature": 0.0, "condition_on_previous_text": False, "fp16": False}
SCORERS = {
    "wer.whisper_base": WhisperBaseScorer,
    "wer.whisper_large_v3": WhisperLargeScorer,
    "wer.whisper_large_v3.seed_tts": WhisperSeedTtsScorer,
}


class FakeTranscriber:
    """Answers with fixed transcripts and remembers how it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.calls: list[tuple[int, str, str]] = []

    def transcribe(self, sounds, language: str, mode: str) -> list[str]:
        number = len(list(sounds))
        self.calls.append((number, language, mode))
        return [self.answers[index % len(self.answers)] for index in range(number)]


@pytest.fixture(scope="module")
def model():
    """A small Whisper with random weights whose transcripts depend on the sound and end at different lengths."""
    torch, whisper = pytest.importorskip("torch"), pytest.importorskip("whisper")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dims = whisper.model.ModelDimensions(80, 1500, 32, 2, 1, 51865, 448, 32, 2, 1)
        network = whisper.model.Whisper(dims).eval()
        with torch.no_grad():
            decoder = network.decoder
            torch.nn.init.normal_(decoder.positional_embedding, std=0.5)
            decoder.token_embedding.weight.mul_(0.1)
            decoder.token_embedding.weight[50257].mul_(1.7)  # the end of the text: likely enough to come
            for block in decoder.blocks:
                attention = block.cross_attn
                for layer in (attention.query, attention.key, attention.value, attention.out):
                    layer.weight.mul_(6.0)  # the sound decides
    return network


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    """Buzzing of 1 to 4 s and one sound longer than a window."""
    result = []
    for index, length in enumerate((1.0, 2.5, 33.0, 4.0, 2.5, 3.0)):
        time = np.arange(int(16_000 * length)) / 16_000
        tone = np.sin(2 * np.pi * (200 + 150 * index) * time * (1 + 0.3 * np.sin(3 * time)))
        noisy = 0.01 * np.random.default_rng(index).standard_normal(len(time))
        result.append((0.3 * tone * (np.sin(time * (3 + index)) > 0) + noisy).astype(np.float32))
    return result


def test_batches_give_the_transcripts_of_whisper_clip_by_clip(model, sounds) -> None:
    peer = [model.transcribe(sound, **PEER) for sound in sounds]
    assert len({segment["seek"] for segment in peer[2]["segments"]}) > 1  # more than one window
    expected = [result["text"].strip() for result in peer]
    assert len(set(expected)) >= 4
    for batch in (1, 4):
        assert WhisperTranscriber(model, batch).transcribe(sounds, "en") == expected


def test_single_window_gives_whispers_own_decoding(model, sounds) -> None:
    import whisper

    short = [sound for sound in sounds if len(sound) <= 480_000]
    options = whisper.DecodingOptions(language="en", temperature=0.0, without_timestamps=True, fp16=False)
    mels = [whisper.log_mel_spectrogram(whisper.pad_or_trim(sound)) for sound in short]
    expected = [whisper.decode(model, mel, options).text for mel in mels]
    assert WhisperTranscriber(model, 3).transcribe(iter(short), "en", "single") == expected
    with pytest.raises(ValueError, match="33.0 s"):
        WhisperTranscriber(model).transcribe(sounds, "en", "single")


def test_transcriber_refuses_what_it_does_not_know(model) -> None:
    with pytest.raises(ValueError, match="mode 'beam'"):
        WhisperTranscriber(model).transcribe([], "en", "beam")
    with pytest.raises(ValueError, match="at least one"):
        WhisperTranscriber(model, 0)
    assert WhisperTranscriber(model).transcribe([], "en") == []


def test_checkpoint_is_loaded_from_a_file(model, sounds, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "whisper_base"
    torch.save({"dims": model.dims.__dict__, "model_state_dict": model.state_dict()}, path)
    scorer = WhisperBaseScorer.from_sources(Sources(tmp_path, assets=tmp_path))
    assert WhisperTranscriber(load_model(path)).transcribe(sounds[:1], "en") == WhisperTranscriber(model).transcribe(
        sounds[:1], "en"
    )
    assert len(scorer.weights_sha256) == 64
    torch.save({"model": model.state_dict()}, path)
    with pytest.raises(UserError, match="no Whisper checkpoint"):
        load_model(path)


def test_scoring_twice_gives_the_same_file(model, tmp_path: Path) -> None:
    utterances = [utterance(speech("klatt4", number).audio, text=script(number)) for number in range(3)]
    work = [Work({**item.row, "utterance": f"u{n}"}, "", lambda item=item: item) for n, item in enumerate(utterances)]
    work.append(Work({**utterances[0].row, "utterance": "lost"}, "", lost))
    for name in ("one.csv", "two.csv"):
        scorer = WhisperBaseScorer(WhisperTranscriber(model), "ab")
        write_rows(tmp_path / name, scored(scorer, work), counts=True)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    with open(tmp_path / "one.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok"] * 15 + ["failed"] * 5
    assert rows[-1]["message"] == "no such sound" and rows[-1]["errors"] == rows[-1]["words"] == "6"


def lost() -> None:
    raise ScoreError("no such sound")


def test_missing_weights_and_package_are_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("whisper")
    with pytest.raises(UserError, match="whisper_base are not in"):
        WhisperBaseScorer.from_sources(Sources(tmp_path, assets=tmp_path))
    monkeypatch.setitem(sys.modules, "whisper", None)
    with pytest.raises(UserError, match="not installed; install it with `pip install openai-whisper`"):
        WhisperBaseScorer.from_sources(Sources(tmp_path, assets=tmp_path))


@pytest.mark.parametrize(
    ("protocol", "text", "expected"),
    [
        ("styledubber", "Place BLUE at F2, now!", "place blue at f two now"),
        ("styledubber", "It's 21 o'clock — twenty-one", "its twenty one oclock twentyone"),
        ("styledubber", "under_score 305", "under_score three hundred five"),
        ("corpus", "Place  BLUE at F2, now!", "place blue at f2 now"),
        ("corpus", "“It’s” «fine»… it's", "its «fine» its"),
        ("corpus", "全，角。text", "全角text"),
        ("seed_tts", "It's — “fine”, isn't it?", "it's fine isn't it"),
        ("seed_tts", "a   b", "a  b"),
        ("seed_tts", "(F2) now.", "f2 now"),
        ("by_ear", "Bin blue at F2, now!", "bin blue at f two now"),
        ("by_ear", "Been blew at eff too now.", "bin blue at f two now"),
        ("by_ear", "Set red with see 4 please", "set red with c four please"),
        ("by_ear", "Lay white by U-9 again", "lay white by u nine again"),
        ("by_ear", "Lay white by you, nine again", "lay white by u nine again"),
        ("by_ear", "a dog", "a dog"),
    ],
)
def test_english_normalisers(protocol: str, text: str, expected: str) -> None:
    normaliser = protocols.PROTOCOLS[protocol].normalisers["en"]
    assert normaliser(text) == expected
    assert normaliser.label == f"{protocol}-en-1"


@pytest.mark.parametrize("protocol", ["corpus", "seed_tts", "by_ear"])
def test_mandarin_counts_simplified_characters(protocol: str) -> None:
    rule = protocols.PROTOCOLS[protocol]
    assert rule.normalisers["zh"]("今天天氣，很好！ OK") == "今 天 天 气 很 好 o k"
    assert rule.count("今天天气很好。", "今天天氣真好", "zh") == ErrorCounts(1, 6, 1, 0, 0)
    assert rule.metric("whisper_large_v3", "zh") == f"cer.whisper_large_v3.{protocol}"


def test_styledubber_divides_by_the_transcript() -> None:
    rule = protocols.STYLEDUBBER
    assert rule.count("bin blue at f two now", "bin blue", "en") == ErrorCounts(4, 2, 0, 0, 4)
    assert rule.count("bin blue", "bin blue at f two now", "en").rate == pytest.approx(4 / 6)
    assert protocols.CORPUS.count("bin blue at f two now", "bin blue", "en") == ErrorCounts(4, 6, 0, 4, 0)


@pytest.mark.parametrize("name", sorted(protocols.PROTOCOLS))
def test_perfect_worst_and_empty_input(name: str) -> None:
    rule = protocols.PROTOCOLS[name]
    assert rule.count("Bin blue at F two now.", "bin blue at f two now", "en").rate == 0
    assert rule.count("bin blue", "lay green", "en").rate == 1
    empty = rule.count("bin blue", "...", "en")
    assert empty is None if name == "styledubber" else empty.rate == 1
    with pytest.raises(ValueError, match="no word left"):
        rule.count("?!", "bin", "en")


def test_one_transcript_serves_all_protocols_of_a_file() -> None:
    transcriber = FakeTranscriber("Bin blue at F 2")
    scores = WhisperLargeScorer(transcriber, "ab").score(utterance(noise(1.0)))
    assert {score.metric: score.value for score in scores} == {
        "wer.whisper_large_v3.styledubber": pytest.approx(1 / 5),
        "wer.whisper_large_v3.corpus": pytest.approx(2 / 6),  # digits stay digits there
        "runaway.whisper_large_v3": 0.0,
    }
    assert transcriber.calls == [(1, "en", "windows")]
    (seed,) = WhisperSeedTtsScorer(transcriber).score(utterance(noise(1.0)))
    assert (seed.metric, seed.counts["words"]) == ("wer.whisper_large_v3.seed_tts", 6)
    assert transcriber.calls[-1] == (1, "en", "single")


def test_many_utterances_keep_their_order_and_their_problems() -> None:
    transcriber = FakeTranscriber("bin blue at f two now", "lay")
    rows = [
        utterance(noise(1.0)),
        utterance(noise(1.0), text="!!"),
        utterance(noise(1.0), text="今天", language="zh"),
        utterance(noise(31.0)),
        utterance(noise(1.0)),
    ]
    results = WhisperSeedTtsScorer(transcriber).score_many(rows)
    assert results[0][0].value == 0
    assert isinstance(results[1], ScoreError) and "no word left" in str(results[1])
    assert results[2][0].metric == "cer.whisper_large_v3.seed_tts"
    assert isinstance(results[3], ScoreError) and "31.0 s" in str(results[3])
    assert results[4][0].value == 0  # third English clip: the first answer again
    assert [call[:2] for call in transcriber.calls] == [(3, "en"), (1, "zh")]


def test_empty_transcript_has_no_styledubber_value() -> None:
    scores = WhisperBaseScorer(FakeTranscriber(" ")).score(utterance(noise(1.0)))
    assert {score.metric: score.value for score in scores} == {
        "wer.whisper_base.corpus": 1.0, "wer.whisper_base.by_ear": 1.0, "wer.whisper_base.by_ear_capped": 1.0,
        "runaway.whisper_base": 0.0
    }  # fmt: skip
    item = utterance(noise(1.0))
    rows = list(scored(WhisperBaseScorer(FakeTranscriber(" ")), [Work(item.row, "", lambda: item)]))
    reasons = {row["metric"]: row["message"] for row in rows if row["status"] == "not_applicable"}
    assert list(reasons) == ["wer.whisper_base.styledubber"] and "understood" in reasons[rows[0]["metric"]]


def test_a_transcript_that_repeats_itself_is_told_and_counted_as_it_is() -> None:
    looped = "bin blue at f two now " + "and then " * 60
    scores = {s.metric: s for s in WhisperBaseScorer(FakeTranscriber(looped)).score(utterance(noise(1.0)))}
    assert scores["runaway.whisper_base"].value == 1.0
    assert scores["wer.whisper_base.by_ear"].counts["insertions"] == 120
    assert scores["wer.whisper_base.by_ear"].value == 20 and scores["wer.whisper_base.by_ear_capped"].value == 1
    spoken = {s.metric: s.value for s in WhisperBaseScorer(FakeTranscriber(script())).score(utterance(noise(1.0)))}
    assert spoken["runaway.whisper_base"] == 0.0


def test_failed_clip_counts_as_all_wrong() -> None:
    counts = WhisperBaseScorer(FakeTranscriber("")).counts_if_failed(utterance(noise(1.0)).row)
    assert counts["errors"] == counts["words"] == counts["deletions"] == 6


def test_language_without_a_protocol_is_not_applicable() -> None:
    scorer = WhisperLargeScorer(FakeTranscriber(""))
    with pytest.raises(NotApplicable, match="'de'"):
        scorer.score(utterance(noise(1.0), language="de"))


@pytest.mark.parametrize("file", sorted(SCORERS))
def test_registry_and_scorers_agree(file: str) -> None:
    module, name = METRIC_FILES[file].scorer.split(":")
    scorer = SCORERS[file](FakeTranscriber(""))
    assert (module, name) == ("words.whisper_wer", type(scorer).__name__)
    listed = {metric.id for metric in metrics_of_file(file)}
    assert listed == {metric for language in ("en", "zh") for metric in scorer.metrics_for({"language": language})}
    for metric in listed:
        runaway = metric.startswith("runaway.")
        assert METRICS[metric].errors_over_words == metric.endswith((".corpus", ".by_ear"))
        assert METRICS[metric].failed_value == (None if runaway else 1.0)
    assert "openai-whisper" in scorer.VERSION and "-en-1" in scorer.VERSION


def test_language_probabilities_are_those_of_whisper(model) -> None:
    import whisper

    from syncvoice.metrics.words.whisper_transcripts import language_probabilities

    sound = noise(2.0, sample_rate=16_000)
    found = language_probabilities(model, sound)
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(sound), model.dims.n_mels)
    assert found == whisper.detect_language(model, mel)[1]
    assert sum(found.values()) == pytest.approx(1, abs=1e-4) and {"en", "zh"} <= set(found)


def test_encoding_of_windows_is_whispers_own_where_they_are_whole() -> None:
    import torch

    from syncvoice.metrics.words.whisper_transcripts import _encoded

    whisper = pytest.importorskip("whisper")
    torch.manual_seed(0)
    encoder = whisper.model.AudioEncoder(80, 1500, 16, 2, 2).eval()
    mels = torch.randn(1, 80, 3000)
    with torch.inference_mode():
        assert torch.equal(_encoded(encoder, mels), encoder(mels))
        assert _encoded(encoder, mels[..., :150].expand(3, -1, -1)).shape == (3, 75, 16)
