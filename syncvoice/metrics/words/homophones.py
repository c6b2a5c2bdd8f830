"""Words that sound like a letter or a digit, so that a recogniser is not counted wrong for its spelling.

GRID sentences hold single letters and digits: "at f two" is often heard as "at f to", "see" for "c". Nobody can hear
the difference. The table is ours; it maps each such word to the letter or digit word, in script and transcript alike.
"""

_SOUND_ALIKE = {
    "a": "eh ay",
    "b": "be bee",
    "c": "see sea",
    "d": "dee",
    "f": "eff",
    "g": "gee jee",
    "h": "aitch",
    "i": "eye aye",
    "j": "jay",
    "k": "kay okay",
    "l": "el ell",
    "m": "em",
    "n": "en",
    "o": "oh owe",
    "p": "pea pee",
    "q": "queue cue",
    "r": "are",
    "s": "ess es",
    "t": "tea tee",
    "u": "you ewe",
    "v": "vee",
    "x": "ex",
    "y": "why",
    "z": "zed zee",
    "one": "won",
    "two": "to too",
    "four": "for fore",
    "eight": "ate",
    "red": "read",
    "blue": "blew",
    "by": "bye buy",
    "bin": "been ben",
}
HOMOPHONES = {word: heard for heard, words in _SOUND_ALIKE.items() for word in words.split()}


def by_ear(text: str) -> str:
    """Return words, separated by spaces, with homophones made equal."""
    return " ".join(HOMOPHONES.get(word, word) for word in text.split())
