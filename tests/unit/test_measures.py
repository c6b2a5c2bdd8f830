"""Numbers, dates, times, units, percent and fractions: script and speech are one normal form, in both languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.text.normalise import english, mandarin, normalise
from syncvoice.text.numbers import spell_out_numbers
from syncvoice.text.tokenizer import EmiliaTokenizer

# What people write and a recogniser may write for the same Mandarin speech.
MANDARIN = [
    ("2024年", "二零二四年", "二〇二四年"),
    ("１９９８年", "1998年", "一九九八年"),
    ("2024年3月5日", "二零二四年三月五日", "2024-03-05", "2024/3/5", "2024.3.5"),
    ("50%", "50 %", "百分之五十", "５０％"),
    ("20.5%", "百分之二十点五"),
    ("3/4", "四分之三", "¾"),
    ("1/2杯", "二分之一杯"),
    ("-5", "−5", "负五", "－5"),
    ("-3.2", "负三点二"),
    ("10:30", "10：30", "十点三十分"),
    ("下午3:05", "下午三点零五分"),
    ("12:00", "十二点"),
    ("10:30:15", "十点三十分十五秒"),
    ("5kg", "5 kg", "五公斤"),
    ("25℃", "25°C", "二十五摄氏度"),
    ("60km/h", "六十公里每小时"),
    ("100m", "一百米"),
    ("1,000元", "1000元", "一千元", "1，000元"),
    ("¥50", "￥50", "五十元"),
    ("$3.5万", "三点五万美元"),
    ("10-20人", "10~20人", "十到二十人"),
    ("007", "零零七"),
    ("0.5", "零点五"),
    ("第3名", "第三名"),
]
ENGLISH = [
    ("10:30", "ten thirty", "10.30 ".replace(".", ":")),
    ("10:05 pm", "10:05pm", "10:05 p.m.", "ten oh five p m"),
    ("9am", "9 a.m.", "9:00 AM", "nine a m"),
    ("12:00", "twelve o'clock"),
    ("5kg", "5 kg", "five kilograms", "5 kilograms"),
    ("1 kg", "one kilogram"),
    ("2.5m", "two point five meters"),
    ("5 km/h", "five kilometers per hour"),
    ("60mph", "60 miles per hour"),
    ("25°C", "25 ℃", "twenty-five degrees Celsius"),
    ("-5", "−5", "minus five"),
    ("10-20", "10–20", "ten to twenty"),
    ("2024-01-05", "2024/1/5", "January 5th, 2024", "january fifth twenty twenty-four"),
    ("50%", "50 %", "fifty percent", "５０％"),
    ("3/4", "¾", "three fourths"),
    ("$5 million", "five million dollars"),
    ("€20", "twenty euros"),
    ("1990s", "1990's", "nineteen nineties"),
    ("AA1234", "AA 1234", "aa twelve thirty-four"),
    ("H2O", "h 2 o", "H two O"),
    ("5'10", "5 10", "five ten"),
    ("1,000,000", "1000000", "one million"),
    ("cafe\u0301 2", "caf\u00e9 two", "ｃａｆé ２"),
]


@pytest.mark.parametrize("forms", MANDARIN, ids=lambda forms: forms[0])
def test_mandarin_forms_are_one(forms: tuple[str, ...]) -> None:
    assert {mandarin(form) for form in forms} == {mandarin(forms[1])}
    assert not any(letter.isdigit() and letter.isascii() for letter in mandarin(forms[0]))


@pytest.mark.parametrize("forms", ENGLISH, ids=lambda forms: forms[0])
def test_english_forms_are_one(forms: tuple[str, ...]) -> None:
    assert {english(form) for form in forms} == {english(forms[1])}
    assert not any(letter.isdigit() for letter in english(forms[0]))


@pytest.mark.parametrize("text", [form for forms in MANDARIN for form in forms[:1]])
def test_mandarin_is_spoken_as_it_is_counted(text: str) -> None:
    """The symbols that the model speaks for a script are those of its normal form, so perfect speech has no error."""
    tokenizer = EmiliaTokenizer()
    said = [token for token in tokenizer.tokens(f"今天{text}", "zh") if token[-1].isdigit()]
    counted = [token for token in tokenizer.tokens(mandarin(f"今天{text}"), "zh") if token[-1].isdigit()]
    assert said == counted


@pytest.mark.parametrize("text", [form for forms in ENGLISH for form in forms[:2]])
def test_english_is_spoken_as_it_is_counted(text: str) -> None:
    assert english(spell_out_numbers(text)) == english(text)


@settings(max_examples=200, deadline=None)
@given(number=st.integers(-9999, 99_999), around=st.sampled_from(["{}", "a{}", "{}kg", "on {} days", "{}%", "x {}-{}"]))
def test_english_numbers_touch_no_word(number: int, around: str) -> None:
    words = english(around.replace("{}", str(number)))
    assert english(words) == words and not any(letter.isdigit() for letter in words)
    assert words == english(spell_out_numbers(around.replace("{}", str(number))))


@settings(max_examples=200, deadline=None)
@given(number=st.integers(-9999, 99_999), around=st.sampled_from(["{}", "有{}个", "{}kg", "{}%", "{}元", "今天{}"]))
def test_mandarin_numbers_have_one_form(number: int, around: str) -> None:
    once = mandarin(around.replace("{}", str(number)))
    assert mandarin(once) == once and not any(letter in "0123456789" for letter in once)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("0123456789:.,-/%$ akmh年月日点−０")), language=st.sampled_from(["en", "zh"]))
def test_no_text_of_digits_and_signs_fails(text: str, language: str) -> None:
    assert normalise(text, language) == normalise(text, language).strip()
    EmiliaTokenizer().tokens(text, language)
