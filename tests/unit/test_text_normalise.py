"""Normal forms that WER and CER count in."""

import pytest

from syncvoice.errors import UserError
from syncvoice.text.normalise import english, mandarin, normalise


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bin blue at F 2 now.", "bin blue at f two now"),
        ("  Don’t --  stop!", "dont stop"),
        ("21 cats", "twenty one cats"),
        ("Well-known", "well known"),
        ("", ""),
        ("¿?", ""),
        ("12,345", "twelve thousand three hundred forty five"),
        ("set white with p 4 soon", "set white with p four soon"),
    ],
)
def test_english(text: str, expected: str) -> None:
    assert english(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我 有3个，新苹果。", "我有三个新苹果"),
        ("他们需要１０个盒子！", "他们需要十个盒子"),
        ("电话 007", "电话零零七"),
        ("", ""),
        ("OK，好", "ok好"),
    ],
)
def test_mandarin(text: str, expected: str) -> None:
    assert mandarin(text) == expected


@pytest.mark.parametrize("text", ["I have 3 cats, 2 dogs", "My 1st U.S. trip in 1999"])
def test_english_is_idempotent(text: str) -> None:
    assert english(english(text)) == english(text)


def test_language_is_checked() -> None:
    assert normalise("A b.", "en") == "a b"
    assert normalise("好 。", "zh") == "好"
    with pytest.raises(UserError, match="fr"):
        normalise("a", "fr")
