"""What every feature extractor offers, and the table of extractors."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from syncvoice.errors import UserError
from syncvoice.records.clips import Clip

Key = dict[str, Any]
DEFAULT_EXTRACTORS = {
    "mel": "zipvoice_mel",
    "lip": "mesh_lip",
    "face": "mesh_face",
    "speaker": "kaldi_fbank",
    "text": "emilia_tokens",
}
EXTRACTORS = (
    *DEFAULT_EXTRACTORS.values(),
    "lrw_resnet18",
    "av_hubert",
    "mediapipe_blendshapes",
    "precomputed",
)


class Extractor(Protocol):
    """A feature of a clip.

    Attributes:
        name, version: identity; a change of the numbers must change the version.
        settings: what the numbers depend on besides the clip.
        fps: rows per second, None if rows are no time axis.
        dim: values per row, None for a row of single numbers.
        weights_sha256: digest of the network's weights, None without a network.
        source_fields: fields of `Clip` that the feature is computed from.
    """

    name: str
    version: str
    settings: dict[str, Any]
    fps: float | None
    dim: int | None
    weights_sha256: str | None
    source_fields: tuple[str, ...]

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of one clip, (rows, dim) float32 or (rows,) int32."""
        ...


def make_extractor(name: str, settings: dict[str, Any] | None = None) -> Extractor:
    """Return an extractor by name.

    Args:
        name: of the extractor ("mesh_lip") or of a feature ("lip": its default extractor).
        settings: keyword arguments of the extractor.

    Raises:
        UserError: unknown name or settings.
    """
    name = DEFAULT_EXTRACTORS.get(name, name)
    kind = _class_of(name)
    try:
        return kind(**(settings or {}))
    except TypeError as error:
        raise UserError(f"extractor '{name}' does not take the settings {settings} ({error}); remove them") from error


def key_of(extractor: Extractor) -> Key:
    """Return the part of the cache key that is the same for every clip."""
    return {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": extractor.settings,
        "weights_sha256": extractor.weights_sha256,
        "fps": extractor.fps,
        "dim": extractor.dim,
        "source_fields": list(extractor.source_fields),
    }


def _class_of(name: str) -> Callable[..., Extractor]:  # noqa: C901  (a table)
    """Return the class of an extractor; its module is imported only when it is wanted.

    Raises:
        UserError: unknown name.
    """
    match name:
        case "zipvoice_mel":
            from syncvoice.features.mel import ZipVoiceMel

            return ZipVoiceMel
        case "mesh_lip":
            from syncvoice.features.lip import MeshLip

            return MeshLip
        case "mesh_face":
            from syncvoice.features.face import MeshFace

            return MeshFace
        case "kaldi_fbank":
            from syncvoice.features.speaker import KaldiFbank

            return KaldiFbank
        case "emilia_tokens":
            from syncvoice.features.text import EmiliaTokens

            return EmiliaTokens
        case "lrw_resnet18":
            from syncvoice.features.lip_network import LrwLip

            return LrwLip
        case "av_hubert":
            from syncvoice.features.lip_network import AVHubertLip

            return AVHubertLip
        case "mediapipe_blendshapes":
            from syncvoice.features.blendshapes import Blendshapes

            return Blendshapes
        case "precomputed":
            from syncvoice.features.precomputed import Precomputed

            return Precomputed
    raise UserError(f"extractor '{name}' is unknown; choose one of {', '.join(EXTRACTORS)}")
