"""English words by part of speech and kind, chosen from WordNet by how often its authors met them in tagged text.

`vocabulary.json` (kind -> words) is made by `python -m syncvoice.minidub.vocabulary WORDNET_FOLDER`, the folder that
holds `cntlist.rev`, `data.*` and `index.*` of WordNet 3.0 (Debian: package wordnet-base). Licence: NOTICE.
"""

import json
import re
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from syncvoice.errors import UserError
from syncvoice.files import write_json

FILE = Path(__file__).with_name("vocabulary.json")
# kind -> how many words, at most; nouns by WordNet's lexicographer files
SIZES = {"verb_with_object": 1000, "verb_alone": 500, "adjective": 1600, "adverb": 400}
NOUNS = {
    **{"act": 500, "animal": 250, "artifact": 1100, "attribute": 300, "body": 100, "cognition": 250},
    **{"communication": 350, "event": 150, "feeling": 80, "food": 200, "group": 150, "location": 150},
    **{"object": 150, "person": 600, "phenomenon": 60, "plant": 100, "possession": 80, "state": 200},
    **{"substance": 120, "time": 80},
}
_LEXICOGRAPHER = (
    *("tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling"),
    *("food", "group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process"),
    *("quantity", "relation", "shape", "state", "substance", "time"),
)
_FIRST_NOUN_FILE = 3
_WORD = re.compile(r"[a-z]{3,12}")
_WITH_OBJECT, _ALONE = {"08", "11"}, {"01", "02"}  # WordNet's sentence frames "somebody ----s something", "... ----s"
_RUDE = {"ethnic_slur", "disparagement", "obscenity", "vulgarism", "dirty_word"}  # usage domains
# Not wanted in any mouth, or odd in every template.
_LEFT_OUT = frozenset(
    "abortion abuse anal anus bomb breast castrate cocaine corpse damn death die dying execute execution fetus "
    "genital genocide god gun hang hell heroin homosexual incest kill killer killing lesbian massacre molest "
    "murder murderer naked nazi nude orgasm pistol porn prostitute prostitution rape rapist rectum rifle semen "
    "sex sexual sexy shoot slave slavery stab strangle suicide terrorist torture urine virgin weapon whore pussy "
    "savage imbecile nuthouse kamikaze gibbet are been being did done had has have her him his its may more most "
    "not nor our she than that the their them then there they this was were what who why will with you your".split()
)


@lru_cache(maxsize=1)
def words() -> dict[str, tuple[str, ...]]:
    """Return kind -> words, most frequent first; kinds are those of SIZES and "noun_" with a key of NOUNS."""
    return {kind: tuple(row.split()) for kind, row in json.loads(FILE.read_text(encoding="utf-8")).items()}


def with_s(word: str) -> str:
    """Return the regular plural of a noun, or third person of a verb."""
    if word.endswith(("s", "sh", "ch", "x", "z")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def make(folder: Path) -> dict[str, list[str]]:
    """Choose the words from the files of WordNet.

    Returns:
        kind -> words, most frequent first; words met equally often in an order that is no order of the alphabet.

    Raises:
        UserError: the folder does not hold WordNet.
    """
    try:
        counts = _counts(folder)
        unwanted = _unwanted(folder)
        frames = _frames(folder)
    except OSError as error:
        raise UserError(f"{folder} does not hold WordNet 3.0 ({error}); name the folder of cntlist.rev") from error
    chosen: dict[str, list[str]] = {}
    taken: set[str] = set()
    for kind, size in {**{f"noun_{name}": n for name, n in NOUNS.items()}, **SIZES}.items():
        ranked = sorted(counts[_source(kind)].items(), key=lambda item: (-item[1], crc32(item[0].encode())))
        fitting = [word for word, _ in ranked if word not in unwanted and _fits(word, kind, frames)]
        if kind.startswith("noun_"):  # a noun stands in one class only, that where it is most frequent
            fitting = [word for word in fitting if word not in taken and _best_class(word, counts) == kind]
            taken.update(fitting[:size])
        chosen[kind] = fitting[:size]
    return chosen


def _source(kind: str) -> str:
    """Key of `_counts` for a kind."""
    return "verb" if kind.startswith("verb") else kind


def _fits(word: str, kind: str, frames: dict[str, set[str]]) -> bool:
    if word in _LEFT_OUT or not _WORD.fullmatch(word):
        return False
    if kind == "verb_with_object":
        return bool(frames[word] & _WITH_OBJECT)
    if kind == "verb_alone":
        return bool(frames[word] & _ALONE)
    return kind != "adverb" or word.endswith("ly")


def _best_class(word: str, counts: dict[str, Counter[str]]) -> str:
    classes = [f"noun_{name}" for name in NOUNS]
    return max(classes, key=lambda name: (counts[name][word], name))


def _counts(folder: Path) -> dict[str, Counter[str]]:
    """How often each word was met, per kind: from sense keys "word%type:file:..." and their counts."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    kinds = {"2": "verb", "3": "adjective", "4": "adverb", "5": "adjective"}
    for line in (folder / "cntlist.rev").read_text(encoding="ascii").splitlines():
        key, _, count = line.split()
        word, rest = key.split("%")
        kind, number = rest.split(":")[:2]
        if kind == "1":
            place = int(number) - _FIRST_NOUN_FILE
            found[f"noun_{_LEXICOGRAPHER[place]}"][word] += int(count)
        else:
            found[kinds[kind]][word] += int(count)
    return found


def _synsets(path: Path) -> list[list[str]]:
    """Fields of every synset of a data file, without its gloss."""
    return [line.split(" | ")[0].split() for line in path.read_text(encoding="ascii").splitlines() if line[0] != " "]


def _lemmas(fields: list[str]) -> list[str]:
    """Words of a synset, without the "(p)"-like marks of adjectives."""
    return [fields[4 + 2 * index].split("(")[0] for index in range(int(fields[3], 16))]


def _unwanted(folder: Path) -> set[str]:
    """Words with a sense that WordNet marks as rude, and names (a lemma with a capital letter)."""
    synsets = [fields for part in ("noun", "verb", "adj", "adv") for fields in _synsets(folder / f"data.{part}")]
    domains = {fields[0] for fields in synsets if fields[2] == "n" and _RUDE.intersection(_lemmas(fields))}
    unwanted = {lemma.lower() for fields in synsets for lemma in _lemmas(fields) if lemma != lemma.lower()}
    for fields in synsets:
        pointers = [fields[place + 1] for place, field in enumerate(fields[:-1]) if field in (";u", "-u")]
        if domains.intersection(pointers):
            unwanted.update(_lemmas(fields))
    return unwanted


def _frames(folder: Path) -> dict[str, set[str]]:
    """Sentence frames of the most frequent sense of every verb."""
    synsets = {fields[0]: fields for fields in _synsets(folder / "data.verb")}
    found: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "index.verb").read_text(encoding="ascii").splitlines():
        if line[0] == " ":
            continue
        fields = line.split()
        first = fields[-int(fields[2])]  # offsets of the senses stand last, the most frequent first
        parts = synsets[first]
        found[fields[0]] = {parts[place + 1] for place in range(len(parts) - 2) if parts[place] == "+"} & (
            _WITH_OBJECT | _ALONE
        )
    return found


def main(folder: Path) -> None:
    """Write `vocabulary.json`."""
    write_json(FILE, {kind: " ".join(row) for kind, row in make(folder).items()})


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]))
