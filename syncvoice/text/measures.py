"""Dates, times of day, units, signs and ranges as people read them, for English and Mandarin.

Script and transcript go through the same rules, before they are spoken and before errors are counted. What remains are
plain numbers, which `numbers` and cn2an read. The readings are our choice; other ones are as common.
"""

import re
from functools import lru_cache

MONTHS = "January February March April May June July August September October November December".split()
# After a number: spelling -> (English for one, English for several, Mandarin). Spellings keep their case where another
# case means something else.
UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour", "公里每小时"),
    "m/s": ("meter per second", "meters per second", "米每秒"),
    "mph": ("mile per hour", "miles per hour", "英里每小时"),
    "km": ("kilometer", "kilometers", "公里"),
    "cm": ("centimeter", "centimeters", "厘米"),
    "mm": ("millimeter", "millimeters", "毫米"),
    "m": ("meter", "meters", "米"),
    "kg": ("kilogram", "kilograms", "公斤"),
    "mg": ("milligram", "milligrams", "毫克"),
    "g": ("gram", "grams", "克"),
    "ml": ("milliliter", "milliliters", "毫升"),
    "mL": ("milliliter", "milliliters", "毫升"),
    "lbs": ("pound", "pounds", "磅"),
    "lb": ("pound", "pounds", "磅"),
    "ms": ("millisecond", "milliseconds", "毫秒"),
    "kHz": ("kilohertz", "kilohertz", "千赫"),
    "MHz": ("megahertz", "megahertz", "兆赫"),
    "GHz": ("gigahertz", "gigahertz", "吉赫"),
    "Hz": ("hertz", "hertz", "赫兹"),
    "°C": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "℃": ("degree Celsius", "degrees Celsius", "摄氏度"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit", "华氏度"),
    "°": ("degree", "degrees", "度"),
}
UNITS |= {spelling.lower(): words for spelling, words in UNITS.items()}  # normal forms are in small letters
MONEY = {"$": "美元", "£": "英镑", "€": "欧元", "¥": "元"}
_SIGNS = str.maketrans({"\u2212": "-", "\ufe63": "-", "\uff0d": "-", "\u2044": "/"})
_DASHES = "\\-\u2010\u2011\u2012\u2013\u2014~\u301c\uff5e"
_SPELLINGS = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
_UNIT = re.compile(rf"(?<![A-Za-z0-9_.])(\d+(?:\.\d+)?)\s?({_SPELLINGS})(?![A-Za-z\d/])")
_DATE = re.compile(r"(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d./-]*\d)")
_TIME = re.compile(r"(?<![\d:.])(\d{1,2})[:\uff1a](\d{2})(?:[:\uff1a](\d{2}))?(?![\d:]|\.\d)")
_HALF_DAY = re.compile(r"(?<=\d)\s*([ap])\.?m\b\.?", re.IGNORECASE)
_PERCENT = re.compile(r"(?<=\d)\s+%")
_FEET = re.compile("(\\d)['\u2019](\\d)")
_RANGE = re.compile(rf"(?<![A-Za-z0-9_{_DASHES}.])(\d{{1,4}})([{_DASHES}])(\d{{1,4}})(?![\d{_DASHES}.]*\d)")
_NEGATIVE = re.compile(r"(?<![A-Za-z0-9_.)%])-(?=\d)")
_BIG_MONEY = re.compile(r"([$£€])(\d+(?:\.\d+)?)\s(thousand|million|billion|trillion)\b", re.IGNORECASE)
_PRICE = re.compile(r"([$£€¥\uffe5])(\d+(?:\.\d+)?)([万亿千百]?)")
_GROUPED = re.compile(r"(?<=\d)[,\uff0c](?=\d{3}(?!\d))")
_LED_BY_ZERO = re.compile(r"(?<![\d.])0\d+(?![\d.])")
_ENDLESS = re.compile(r"\d{17,}")  # more digits than cn2an reads as a number
_HANZI_DIGITS = "零一二三四五六七八九"


def english(text: str) -> str:
    """Return English text in which dates, times, units, signs and ranges are words around plain numbers."""
    text = text.translate(_SIGNS)
    text = _DATE.sub(_english_date, text)
    text = _TIME.sub(_english_time, text)
    text = _FEET.sub(r"\1 \2", text)
    text = _HALF_DAY.sub(lambda match: f" {match[1].lower()} m", text)
    text = _BIG_MONEY.sub(lambda match: f"{match[2]} {match[3]} {_CURRENCIES[match[1]]}", text)
    text = _UNIT.sub(lambda match: f"{match[1]} {UNITS[match[2]][match[1] != '1']}", text)
    text = _RANGE.sub(lambda match: _range(match, " to "), text)
    return _NEGATIVE.sub("minus ", text)


_CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros"}


def mandarin(text: str) -> str:
    """Return Mandarin text with numbers, dates, times, units, percent and fractions in hanzi, as they are read."""
    if not any(letter.isdigit() for letter in text):
        return text
    text = _GROUPED.sub("", text.translate(_SIGNS))
    text = _DATE.sub(_mandarin_date, text)
    text = _TIME.sub(_mandarin_time, text)
    text = _PRICE.sub(lambda match: f"{match[2]}{match[3]}{MONEY[match[1].replace(chr(0xFFE5), chr(0xA5))]}", text)
    text = _PERCENT.sub("%", mandarin_units(text))
    text = _RANGE.sub(lambda match: _range(match, "到"), text)
    text = _LED_BY_ZERO.sub(_digits, text)
    text = _ENDLESS.sub(_digits, text)
    return _transform(text)


def plain_mandarin(text: str) -> str:
    """Return Mandarin text with what cn2an alone reads in hanzi, as the public ZipVoice code has it."""
    return _transform(_ENDLESS.sub(_digits, text))


def mandarin_units(text: str) -> str:
    """Return Mandarin text with the units after numbers in hanzi; Latin letters would be read as English."""
    return _UNIT.sub(lambda match: f"{match[1]}{UNITS[match[2]][2]}", text)


@lru_cache(maxsize=65_536)
def _transform(text: str) -> str:
    """Return text with plain numbers, percent, fractions and years in hanzi."""
    import cn2an

    return cn2an.transform(text, "an2cn")


def _digits(match: re.Match[str]) -> str:
    """Read digit by digit, as telephone numbers are."""
    return "".join(_HANZI_DIGITS[int(digit)] for digit in match[0])


def _range(match: re.Match[str], word: str) -> str:
    """Return "10 to 20"; what does not rise is a score or a name and stays."""
    return f"{match[1]}{word}{match[3]}" if int(match[1]) < int(match[3]) else match[0]


def _is_date(match: re.Match[str]) -> bool:
    """Tell whether year, month and day can be a date."""
    return 1 <= int(match[3]) <= 12 and 1 <= int(match[4]) <= 31


def _english_date(match: re.Match[str]) -> str:
    """Return "January 5th 2024"."""
    if not _is_date(match):
        return match[0]
    day = int(match[4])
    ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{MONTHS[int(match[3]) - 1]} {day}{ending} {match[1]}"


def _english_time(match: re.Match[str]) -> str:
    """Return "10 30", "10 oh 5", "9 o'clock" ("9" before a.m. and p.m.)."""
    hour, minute, second = int(match[1]), int(match[2]), match[3]
    if hour > 24 or minute > 59 or int(second or 0) > 59:
        return match[0]
    followed = _HALF_DAY.match(match.string, match.end())
    spoken = [str(hour), *_two_digits(minute), *(_two_digits(int(second)) if second else [])]
    if not minute and not second:
        spoken = [str(hour)] if followed else [str(hour), "o'clock"]
    return " ".join(spoken)


def _two_digits(number: int) -> list[str]:
    """Return minutes or seconds as words and numbers: [] for none, "oh 5" below ten."""
    return [] if not number else ["oh", str(number)] if number < 10 else [str(number)]


def _mandarin_date(match: re.Match[str]) -> str:
    """Return 2024年1月5日."""
    return f"{match[1]}年{int(match[3])}月{int(match[4])}日" if _is_date(match) else match[0]


def _mandarin_time(match: re.Match[str]) -> str:
    """Return 10点30分, 10点零5分, 9点; seconds as 15秒."""
    hour, minute, second = int(match[1]), int(match[2]), match[3]
    if hour > 24 or minute > 59 or int(second or 0) > 59:
        return match[0]
    minutes = f"{'零' if minute < 10 else ''}{minute}分" if minute or second else ""
    return f"{hour}点{minutes}{f'{int(second)}秒' if second else ''}"
