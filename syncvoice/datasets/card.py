"""Cards of data sets (config/datasets/NAME.yaml): how to get one, its terms, what its folder must look like."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from syncvoice.datasets.base import Selection
from syncvoice.datasets.settings import Dataset, with_typed_splits
from syncvoice.download import UNVERIFIED, Archive
from syncvoice.errors import UserError
from syncvoice.places import find_path
from syncvoice.section import Name, Section, validated

CARDS = Path("config/datasets")  # in the working directory, or else beside the package


class Source(Section):
    """What a rule can download: archives, each once per speaker where their name holds "{speaker}".

    Attributes:
        archives: address by file name.
        checksums: address of the deposit's record, whose checksums are taken for archives without a digest.
        digests: "sha256:HEX" or "md5:HEX" by file name.
    """

    archives: dict[str, str]
    checksums: str | None = None
    digests: dict[str, str] = {}


class Checks(Section):
    """What must be there.

    Attributes:
        speakers: all of them.
        absent: speakers that the published data lack; one that is there is a sign of another distribution.
        clips_per_speaker: fewest.
        words: whether every clip comes with word times.
    """

    speakers: list[str] = []
    absent: list[str] = []
    clips_per_speaker: int = 0
    words: bool = False


class Card(Section):
    """What a person has to know about a data set before using it.

    Attributes:
        get: how a copy is had.
        tree: the expected folders and files, as text.
        archive_bytes: size of what is downloaded, None if not known; `bytes_source` says who says so.
    """

    title: str = Field(min_length=1)
    homepages: list[str]
    get: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    terms: Literal["attribution", "research-only", "non-commercial", "own", "unknown"]
    cite: str = Field(min_length=1)
    tree: str = Field(min_length=1)
    archive_bytes: int | None
    bytes_source: str
    notes: list[str] = []
    checks: Checks
    download: Source | None = None


class CardFile(Section):
    """A file of config/datasets: cards and data sets under the same names."""

    cards: dict[Name, Card]
    datasets: dict[Name, Dataset]


def read_card(path: Path | str) -> CardFile:
    """Read a file of cards, by path or by the name of a file in config/datasets.

    Raises:
        UserError: there is none, or it is wrong (the key is named).
    """
    path = _path_of(str(path))
    content = read_yaml(path)
    if "cards" not in content:
        raise UserError(f"{path} holds no section 'cards'; this data set is made by the workflow and needs no card")
    entries = {
        name: with_typed_splits(entry, Selection, f"{path}: datasets.{name}")
        for name, entry in (content.get("datasets") or {}).items()
    }
    return validated(CardFile, {**content, "datasets": entries}, str(path))


def cards_in(folder: Path) -> dict[str, Card]:
    """Return every card of a folder by the name of its data set; files without cards are passed over."""
    files = [path for path in sorted(folder.glob("*.yaml")) if "cards" in read_yaml(path)]
    return {name: card for path in files for name, card in read_card(path).cards.items()}


def archives_of(card: Card) -> list[Archive]:
    """Return the archives of a card, those per speaker once for each."""
    if card.download is None:
        return []
    archives = []
    for name, url in card.download.archives.items():
        for speaker in card.checks.speakers if "{speaker}" in name else [""]:
            file = name.replace("{speaker}", speaker)
            digest = card.download.digests.get(file, UNVERIFIED)
            archives.append(Archive(file, url.replace("{speaker}", speaker), digest))
    return archives


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        UserError: it is none.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping; expected the sections cards and datasets")
    return content


def _path_of(name: str) -> Path:
    """Return the file of a card.

    Raises:
        UserError: there is none; the cards that exist are named.
    """
    found = next((place for place in (Path(name), find_path(CARDS / f"{name}.yaml")) if place.is_file()), None)
    if found is None:
        known = ", ".join(sorted(path.stem for path in find_path(CARDS).glob("*.yaml")))
        raise UserError(f"there is no card {name!r}; give a YAML file or one of {known}")
    return found
