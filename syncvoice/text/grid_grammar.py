"""The GRID sentence (Cooke et al. 2006): six words in order, each of a short list, and the codes of clip names."""

from collections.abc import Mapping, Sequence

# A GRID clip's name has one letter per word: part of the sentence -> letter -> word.
CODES: Mapping[str, Mapping[str, str]] = {
    "command": {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    "colour": {"b": "blue", "g": "green", "r": "red", "w": "white"},
    "preposition": {"a": "at", "b": "by", "i": "in", "w": "with"},
    "letter": {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},  # no w: it has three syllables
    "digit": dict(zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)),
    "adverb": {"a": "again", "n": "now", "p": "please", "s": "soon"},
}
SLOTS: tuple[tuple[str, ...], ...] = tuple(tuple(words.values()) for words in CODES.values())
SPOKEN_LETTERS = {"a": "eh"}  # a text-to-speech program would read the letter as an article


def sentence_of(name: str) -> str:
    """Return the sentence that a GRID clip name spells, "" if it spells none.

    >>> sentence_of("bbaf3s")
    'bin blue at f three soon'
    """
    name = name.lower()
    if len(name) != len(CODES) or any(letter not in words for letter, words in zip(name, CODES.values(), strict=True)):
        return ""
    return " ".join(words[letter] for letter, words in zip(name, CODES.values(), strict=True))


def is_sentence(text: str) -> bool:
    """Tell whether a text is a GRID sentence; case and spaces do not matter.

    >>> is_sentence("Bin blue  at F three soon"), is_sentence("bin blue")
    (True, False)
    """
    words = text.lower().split()
    return len(words) == len(SLOTS) and all(word in slot for word, slot in zip(words, SLOTS, strict=True))


def spoken_text(text: str, source: str) -> str:
    """Return a text as a text-to-speech program shall read it: single letters of GRID sentences by their names.

    >>> spoken_text("bin blue at a three soon", "grid"), spoken_text("a cat", "phrases")
    ('bin blue at eh three soon', 'a cat')
    """
    if source != "grid":
        return text
    return " ".join(SPOKEN_LETTERS.get(word, word) for word in text.split())


def jsgf_grammar(name: str, parts: Mapping[str, Sequence[str]]) -> str:
    """Return a JSGF grammar of sentences that take one word of each part, in order.

    Args:
        name: of the grammar.
        parts: name of a part -> its words.
    """
    rules = [f"<{part}> = {' | '.join(words)};" for part, words in parts.items()]
    sentence = " ".join(f"<{part}>" for part in parts)
    return "\n".join(["#JSGF V1.0;", f"grammar {name};", f"public <sentence> = {sentence};", *rules]) + "\n"


def grid_grammar() -> str:
    """Return the JSGF grammar of the GRID sentence."""
    return jsgf_grammar("grid", dict(zip(CODES, SLOTS, strict=True)))
