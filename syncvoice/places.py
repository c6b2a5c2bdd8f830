"""Where files of the project lie: one look-up for weights, models and configuration, from any working directory.

A relative path is looked for in the working directory first, so that a project folder of one's own comes before what
was installed, then in the checkout that holds this package, then where `pip install` put weights and configuration
(share/syncvoice of the environment). Weights made by others may also lie in the folder that the
variable SYNCVOICE_ASSETS names.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from syncvoice.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[1]
INSTALLED = Path(sys.prefix) / "share" / "syncvoice"
ASSETS = Path("resources/assets")  # weights made by others
SHIPPED = Path("weights")  # start weights of the project


def find_path(path: Path | str) -> Path:
    """Return the path as it is if something is there, else in the checkout or what was installed, else as it is."""
    path = Path(path)
    places = [path, *(root / path for root in (CHECKOUT, INSTALLED))]
    return next((place for place in places if place.exists()), path)


def weight_folders(folders: Sequence[Path] = (ASSETS, SHIPPED)) -> list[Path]:
    """Folders that are searched for weights: those given, SYNCVOICE_ASSETS, then checkout and installation."""
    named = os.environ.get("SYNCVOICE_ASSETS")
    elsewhere = [root / folder for root in (CHECKOUT, INSTALLED) for folder in folders]
    return list(dict.fromkeys([*folders, *([Path(named)] if named else []), *elsewhere]))


def find_weights(name: str, folders: Sequence[Path] = (ASSETS, SHIPPED)) -> Path | None:
    """Return the first file of this name, with any suffix but .json, in the folders that are searched; None without.

    Args:
        name: of an asset in `config/assets.yaml`, or of shipped weights ("vocoder").
        folders: searched first to last in the working directory, then in the checkout; absolute ones as they are.
    """
    for folder in weight_folders(folders):
        exact = folder / name
        found = [exact] if exact.is_file() else sorted(folder.glob(f"{name}.*"))
        files = [path for path in found if path.is_file() and path.suffix not in (".json", ".csv")]
        if files:
            return files[0]
    return None


def weights_file(name: str, folders: Sequence[Path] = (ASSETS, SHIPPED), user: str = "this", what: str = "") -> Path:
    """Return what `find_weights` finds.

    Args:
        name, folders: as in `find_weights`.
        user: what needs the weights, for the message.
        what: the file and its licence, for the message.

    Raises:
        UserError: there is no such file; says where to put it and where it was looked for.
    """
    found = find_weights(name, folders)
    if found is None:
        raise UserError(
            f"{user} needs the weights {name}: put {what or 'the file'} at {folders[0] / name}, or into the folder"
            " SYNCVOICE_ASSETS under that name (config/assets.yaml says where it comes from); weights"
            f" {name} are not in {', '.join(map(str, weight_folders(folders)))}"
        )
    return found
