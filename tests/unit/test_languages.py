"""The languages that natural speech knows: symbols, phones and voices of each, and who refuses which."""

from types import SimpleNamespace

import pytest

from syncvoice.dubbing.by_model import ModelEngine
from syncvoice.dubbing.pace import Pace
from syncvoice.dubbing.script import syllables
from syncvoice.errors import UserError
from syncvoice.lip_timing.visemes import visemes_of
from syncvoice.networks.kokoro import ids_of, styles
from syncvoice.text.espeak import phonemize
from syncvoice.text.kokoro_ipa import ipa_units, units_of_word
from syncvoice.text.language import LANGUAGES
from syncvoice.timed_speech.script import script_of

SENTENCES = {
    "es": (
        "Buenos días, ¿cómo estás? El perro de mi vecino corre por la calle; yo quiero agua.",
        "La guitarra vieja, el niño y la lluvia: ¡qué hijo tan jovial!",
        "Hay 25 coches en la ciudad y 3 bicicletas.",
    ),
    "fr": (
        "Bonjour, comment allez-vous ? Un bon vin blanc et deux œufs.",
        "La montagne, ma fille, huit oiseaux et un parfum d'automne.",
        "Il a 25 ans et vingt-trois amis.",
    ),
    "it": (
        "Buongiorno, come stai? Gli gnocchi sono buoni, la famiglia e la pizza.",
        "La scienza, lo zucchero, un giorno d'estate e l'acqua.",
    ),
    "pt": (
        "Bom dia, como você está? Não quero mais pão, minha filha.",
        "O trabalho, a gente, tchau, um rato e o coração das mães.",
    ),
    "hi": ("नमस्ते, आप कैसे हैं? मेरा घर बड़ा है और मुझे पानी चाहिए।", "ठीक है, छोटा, झूठ, ढोल, धन, भाई, ज़रूर, क्षण, ज्ञान।"),
}
CASES = [(language, text) for language, texts in SENTENCES.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), CASES)
def test_every_word_has_symbols_phones_and_lip_shapes(language: str, text: str) -> None:
    script = script_of(text, language)
    assert len(script) == len([word for word in text.split() if any(c.isalnum() for c in word)])
    for word in script:
        assert len(ids_of(word.letters)) == len(word.letters) + 2
        assert len(visemes_of(word.phones)) == len(word.phones) > 0
    assert script[-1].mark in (".", "!", "?") or language == "hi"


@pytest.mark.parametrize(
    ("ipa", "letters", "phones"),
    [
        ("tʃˈiko", "ʧˈiko", "tʃ i k ɔ"),
        ("bˈɔ̃", "bˈɔ̃", "b ɔ"),  # the nasal mark stays with its vowel
        ("ɲˈokːɪ", "ɲˈokːɪ", "n ɔ k ɪ"),
        ("bˈʌr.aː", "bˈʌɽaː", "b ʌ ɾ a"),  # espeak's dot is no full stop
        ("ʈʰˈiːk", "ʈʰˈiːk", "tʰ i k"),
        ("ˈaɣwa", "ˈaɣwa", "a ɡ w a"),
    ],
)
def test_ipa_becomes_symbols(ipa: str, letters: str, phones: str) -> None:
    units = units_of_word(ipa)
    assert "".join(unit.letters for unit in units) == letters
    assert [phone for unit in units for phone in unit.phones] == phones.split()


def test_a_sound_without_a_symbol_is_named() -> None:
    with pytest.raises(UserError, match="'ǃ'"):
        units_of_word("aǃa")


def test_a_number_of_several_words_stays_one_word() -> None:
    assert len(phonemize("en 1999 vino", "es").split()) != 3, "else this case shows nothing"
    assert len(ipa_units(["en", "1999", "vino"], "es")) == 3


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_a_reader_voices_and_a_rate(code: str) -> None:
    language = LANGUAGES[code]
    assert phonemize({"zh": "你好", "hi": "नमस्ते", "ja": "さくら"}.get(code, "papa"), code)
    assert any(name[0] in language.stock for name in styles())
    slow, fast = Pace().slowest(code), Pace().fastest(code)
    assert 0 < slow < fast


@pytest.mark.parametrize(
    ("text", "language", "count"), [("guitarra", "es", 3), ("montagne", "fr", 2), ("giorno", "it", 2)]
)
def test_syllables_are_counted(text: str, language: str, count: int) -> None:
    assert syllables(phonemize(text, language)) == count


def test_a_model_refuses_what_its_tokenizer_cannot_read() -> None:
    engine = ModelEngine(SimpleNamespace(name="small"), None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"small speaks en, zh, not es; --engine timed speaks en, zh, es"):
        engine.begin("es")
