"""Best of N: candidates differ by their noise alone, the best of them stays, and no network scores its own choice."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from syncvoice.audio import read_wav, write_wav
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.generation.choosing import ChoiceSettings, best_of, choose_all
from syncvoice.generation.kinds.best_by_lips import agreement, shapes_heard
from syncvoice.generation.kinds.best_by_words import log_likelihood
from syncvoice.generation.speech import Sampling, noise_of, sample_mels
from syncvoice.generation.work import Work
from syncvoice.lip_timing.visemes import N_VISEMES, VISEME_NAMES
from syncvoice.model.guidance import Scales
from syncvoice.networks.recogniser import ENGLISH_SYMBOLS, CtcRecogniser
from syncvoice.records.speech import write_speech
from syncvoice.records.tasks import Utterance
from syncvoice.study import load_study
from tests.unit.test_model import make_model, make_request

CONFIG = Path(__file__).parents[2] / "config"
LEVELS = {"a": [0.1, 0.4, 0.2, 0.3], "b": [0.5, 0.1, 0.2, 0.6]}  # of each candidate, which the judge likes loud


def utterance(name: str) -> Utterance:
    return Utterance(name, name, "test", "d", "red", "en", "v", "female", "yes", "grid", "r", "ref", "set", "en", 10)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    folder, rows = tmp_path / "candidates", []
    for name, levels in LEVELS.items():
        for k, level in enumerate(levels):
            wav = folder / f"candidate{k}" / f"{name}.wav"
            write_wav(wav, np.full(9600, level, np.float32), 24_000)
            rows.append({"utterance": name, "point": f"candidate{k}", "wav": f"candidate{k}/{name}.wav",
                         "status": "ok", "message": "", "sha256": sha256_of(wav)})  # fmt: skip
    write_speech(folder, rows)
    return Work([utterance("a"), utterance("b")], tmp_path, tmp_path, None, tmp_path / "out", candidates=folder)


def settings(*counts: int) -> ChoiceSettings:
    return ChoiceSettings(experiment="best", best_of={"row": "M5_candidates", "counts": list(counts)})


def loudness(_: Utterance, sound: np.ndarray) -> float:
    return float(np.median(sound))


def test_the_best_of_the_first_n_candidates_is_kept_byte_for_byte(work: Work) -> None:
    rows = choose_all(settings(2, 3, 4), work, loudness)
    chosen = {(row["point"], row["utterance"]): row["message"] for row in rows}
    assert chosen == {
        ("best_of2", "a"): "candidate1", ("best_of2", "b"): "candidate0",
        ("best_of3", "a"): "candidate1", ("best_of3", "b"): "candidate0",
        ("best_of4", "a"): "candidate1", ("best_of4", "b"): "candidate3",
    }  # fmt: skip
    assert work.candidates is not None
    for row in rows:
        source = work.candidates / str(row["message"]) / f"{row['utterance']}.wav"
        assert (work.out / str(row["wav"])).read_bytes() == source.read_bytes()
        assert row["sha256"] == sha256_of(source)


def test_every_candidate_is_judged_once_for_all_counts(work: Work) -> None:
    judged: list[float] = []
    choose_all(settings(2, 4), work, lambda row, sound: judged.append(loudness(row, sound)) or judged[-1])
    assert len(judged) == 8


def test_without_a_usable_candidate_an_utterance_has_failed(work: Work) -> None:
    rows = choose_all(settings(2), work, lambda row, _: -math.inf if row.utterance == "a" else math.nan)
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert "none of 2 candidates" in str(rows[0]["message"])


def test_more_candidates_than_were_spoken_are_refused(work: Work) -> None:
    with pytest.raises(
        UserError, match="has no candidate4; best_of.counts asks for 6 candidates, so row M5_candidates"
    ):
        choose_all(settings(2, 6), work, loudness)


def test_first_of_equal_candidates_wins() -> None:
    assert best_of([1.0, 2.0, 2.0]) == 1
    assert best_of([math.nan, -math.inf]) is None


def test_candidate_zero_is_the_rows_own_noise_and_others_are_not() -> None:
    model, request = make_model(), make_request("a", 9)
    own, zero, one, again = (
        sample_mels(model, [request], Sampling(Scales(2.0), 2, candidate=k))[0] for k in (0, 0, 1, 1)
    )
    torch.testing.assert_close(own, zero, atol=0, rtol=0)
    torch.testing.assert_close(one, again, atol=0, rtol=0)
    assert not torch.allclose(own, one)


def test_noise_of_candidates_is_independent() -> None:
    request = make_request("a", 9)
    noise = torch.stack([noise_of(request, 200, 100, k) for k in range(4)] + [
        noise_of(replace(request, name="b"), 200, 100, 1)
    ]).flatten(1)  # fmt: skip
    correlation = torch.corrcoef(noise) - torch.eye(5)
    assert correlation.abs().max() < 5 / math.sqrt(20_000)


# ---- judges --------------------------------------------------------------------------------------------------------


class Spelling(CtcRecogniser):
    """Hears fixed symbols, one per frame."""

    def __init__(self, heard: str, sure: float = 8.0) -> None:
        torch.nn.Module.__init__(self)
        self.symbols = ("", *ENGLISH_SYMBOLS, "红")
        self._logits = torch.zeros(len(heard), len(self.symbols))
        for frame, symbol in enumerate(heard):
            self._logits[frame, 0 if symbol == "-" else self.symbols.index(symbol)] = sure

    def log_probs(self, audio: object) -> tuple[torch.Tensor, float]:
        return self._logits.log_softmax(-1), 50.0


def test_words_judge_likes_the_wanted_text() -> None:
    heard, sound = Spelling("r-e-d--"), np.zeros(100, np.float32)
    scores = {text: log_likelihood(heard, sound, text, "en") for text in ("red", "bed", "green", "Red!")}
    assert scores["red"] > scores["bed"] > scores["green"]
    assert scores["Red!"] == scores["red"] > -0.1, "the text is normalised, and nearly sure"
    assert log_likelihood(heard, sound, "红", "en") == -math.inf
    assert log_likelihood(Spelling("re"), sound, "red", "en") == -math.inf, "too short for three symbols"


def test_words_judge_sums_over_all_paths() -> None:
    heard = Spelling("--", sure=0.0)  # two frames, everything equally likely among English symbols
    n = len(ENGLISH_SYMBOLS) + 1
    paths = 3 / n**2  # "ee", "e-", "-e"
    assert log_likelihood(heard, np.zeros(9, np.float32), "e", "en") == pytest.approx(math.log(paths), abs=1e-5)


def test_phones_are_heard_as_lip_shapes() -> None:
    phones = ("_", "p", "m", "f", "a")
    heard = shapes_heard(np.log([[0.1, 0.3, 0.3, 0.2, 0.1]]), phones)
    named = dict(zip(VISEME_NAMES, heard[0], strict=True))
    assert named["lips"] == pytest.approx(0.6) and named["lip_teeth"] == pytest.approx(0.2)
    assert heard.sum() == pytest.approx(1)


def test_lips_judge_likes_sound_55_ms_after_the_mouth() -> None:
    rng = np.random.default_rng(0)
    shape = np.repeat(rng.integers(0, N_VISEMES, 20), 7)  # of 10 ms rows
    one_hot = np.eye(N_VISEMES)[shape]
    lips = (np.log(0.05 / N_VISEMES + 0.95 * one_hot) + math.log(N_VISEMES), np.ones(len(shape), bool))
    by_lag = {lag: agreement(lips, np.roll(one_hot, lag, axis=0)) for lag in range(-10, 20)}
    assert max(by_lag, key=by_lag.__getitem__) == 6  # 55 ms in whole rows
    assert by_lag[6] == pytest.approx(math.log(0.05 + 0.95 * N_VISEMES), abs=1e-6)
    hidden = (lips[0], np.zeros(len(shape), bool))
    assert agreement(hidden, one_hot) == 0.0


# ---- the study -----------------------------------------------------------------------------------------------------


def study_with(**row: object) -> None:
    values = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    task = next(iter(values["tasks"]))
    values["tasks"][task]["metrics"] = ["lse.syncnet_mini", "wer.ctc_mini", "mcd_dtw.melcep13"]
    candidates = {
        "kind": "candidates",
        "recipe": "full",
        "candidates": 4,
        "tasks": [task],
        "metrics": [],
        "caption": "x",
    }
    best = {"kind": "best_by_words", "best_of": {"row": "many", "counts": [2, 4]}, "tasks": [task], "caption": "x"}
    values["experiments"] |= {"many": candidates, "best": best | row}
    load_study(values, CONFIG, "study.yaml")


def test_no_network_scores_its_own_choice() -> None:
    study_with(metrics=["lse.syncnet_mini"])
    with pytest.raises(UserError, match=r"experiments.best: wer.ctc_mini scores with recogniser, which also chooses"):
        study_with(metrics=["wer.ctc_mini"])
    study_with(kind="best_by_voice", metrics=["wer.ctc_mini"])


def test_a_choice_needs_enough_candidates() -> None:
    with pytest.raises(UserError, match=r"best_of.counts: 8 candidates are asked for, row many speaks 4"):
        study_with(best_of={"row": "many", "counts": [8]}, metrics=[])
    with pytest.raises(UserError, match=r"best_of.row: unknown row 'manny'; did you mean 'many'"):
        study_with(best_of={"row": "manny", "counts": [2]}, metrics=[])
    with pytest.raises(UserError, match=r"kind best_by_words needs best_of"):
        study_with(best_of=None)


def test_chosen_sound_is_read_as_it_was_written(work: Work) -> None:
    row = choose_all(settings(4), work, loudness)[0]
    np.testing.assert_allclose(np.median(read_wav(work.out / str(row["wav"]), 24_000)[0]), 0.4, atol=1e-3)
