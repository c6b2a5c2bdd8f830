"""Texts become ids as the weights know them: in features, training and generation; other symbols are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.dubbing.by_model import ModelEngine
from syncvoice.dubbing.script import Cue
from syncvoice.dubbing.speech import Sound
from syncvoice.errors import UserError
from syncvoice.features.base import key_of, make_extractor
from syncvoice.features.cache import write_shard
from syncvoice.files import read_json
from syncvoice.model.public_layout import save_release
from syncvoice.model.start import save_model, start_config
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.model.text_path import TextPath, text_of_record, text_of_start, text_of_tokens
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.records.clips import Clip
from syncvoice.text.vocabulary import character_symbols, emilia_symbols, write_vocabulary
from tests.unit.public_weights import SIZES
from tests.unit.training_study import clips, make_study, run

CHARACTERS = [*character_symbols()[1:], character_symbols()[0]]  # the pad comes last: its id is read, not assumed


@pytest.fixture
def libritts(tmp_path: Path) -> Path:
    """Start weights in the public layout that know characters."""
    torch.manual_seed(0)
    config = ZipVoiceConfig.of({**SIZES, "vocab_size": len(CHARACTERS), "pad_id": len(CHARACTERS) - 1})
    return save_release(tmp_path / "libritts", ZipVoice(config), CHARACTERS, safetensors=False)


def test_symbols_tell_the_kind(tmp_path: Path, libritts: Path) -> None:
    assert text_of_start(libritts) == TextPath(kind="libritts", symbols=tuple(CHARACTERS))
    write_vocabulary(tmp_path / "tokens.txt", emilia_symbols())
    assert text_of_tokens(tmp_path / "tokens.txt") == TextPath()
    write_vocabulary(tmp_path / "tokens.txt", [*emilia_symbols(), "[laughter]"])
    assert text_of_tokens(tmp_path / "tokens.txt").kind == "emilia"
    assert start_config(libritts).backbone.pad_id == len(CHARACTERS) - 1
    assert text_of_record(None) == TextPath() and text_of_record(None).tokenizer().vocab_size == 360


def clip() -> Clip:
    return Clip("a", "s", "d", "p", "", "", "en", "", "bin blue at f2", None, Path("a.wav"), 25)


def test_feature_holds_the_ids_of_the_weights(libritts: Path) -> None:
    extractor = make_extractor("weights_tokens", {"weights": str(libritts.with_name("tokens.txt"))})
    spelt = "".join(CHARACTERS[index] for index in extractor.extract(clip()))
    assert spelt.startswith("BIN BLUE AT F") and "TWO" in spelt
    assert text_of_record(key_of(extractor)["settings"]) == text_of_start(libritts)


def test_other_symbols_are_refused_and_the_right_ones_reach_the_model(tmp_path: Path, libritts: Path) -> None:
    study = make_study(tmp_path)
    changes = {"start": str(libritts), "speaker_branches": [], "steps": 1, "average_from": 1.0}
    with pytest.raises(UserError, match=r"reads texts as libritts, 33 symbols, but feature 'text' holds emilia, 360"):
        run(study, "refused", **changes)
    extractor = make_extractor("weights_tokens", {"weights": str(libritts.with_name("tokens.txt"))})
    items = [(clip.id, np.asarray([1, 2, 3], np.int32)) for clip in clips()]
    write_shard(study / "features/text/shard-0.h5", key_of(extractor) | {"feature": "text"}, items)
    metadata = read_json(run(study, "right", **changes) / "metadata.json")
    assert text_of_record(metadata["text"]) == text_of_start(libritts)
    with pytest.raises(UserError, match="but feature 'text' holds libritts"):
        run(study, "also refused")


def test_symbols_that_do_not_fit_the_weights_are_refused(libritts: Path) -> None:
    write_vocabulary(libritts.with_name("tokens.txt"), [*CHARACTERS, "#"])
    with pytest.raises(UserError, match="knows 33 symbols, its tokens.txt lists 34"):
        start_config(libritts)


@pytest.mark.parametrize("text", [TextPath().read("public"), TextPath(kind="libritts", symbols=tuple(CHARACTERS))])
def test_dub_reads_texts_as_the_model_learned_them(tmp_path: Path, text: TextPath) -> None:
    size = text.tokenizer().vocab_size
    config = SyncVoiceConfig(ZipVoiceConfig.of({**SIZES, "vocab_size": size, "pad_id": text.tokenizer().pad_id}))
    save_model(tmp_path / "model", SyncVoice(config), {"recipe": {}, "text": text.model_dump(mode="json")})
    engine = ModelEngine.load(tmp_path / "model", Sound())
    line = engine.line(Cue("a", "Wait... for four", 0, 50), "en", 3)
    assert (
        line.tokens
        == text.tokenizer().encode("Wait... for four", "en")
        != TextPath().tokenizer().encode("Wait... for four", "en")
    )
