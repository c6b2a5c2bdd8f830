"""Import torchaudio beside a CPU build of torch.

The torchaudio wheel links CUDA, so loading its compiled library fails beside a CPU torch. We use its Python transforms
only. With a CPU torch the folder of compiled files is shown as empty while the package is imported, which is a case
torchaudio supports (a build without extension); no installed file is touched. With a CUDA torch nothing is changed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch


def _import_torchaudio() -> Any:
    """Import torchaudio; on a CPU build of torch its compiled extension counts as absent."""
    if torch.version.cuda is not None:
        import torchaudio

        return torchaudio
    glob = Path.glob

    def glob_without_extension(path: Path, pattern: str) -> Iterator[Path]:
        """List files, except the compiled ones of torchaudio."""
        return iter(()) if path.parts[-2:] == ("torchaudio", "lib") else glob(path, pattern)

    Path.glob = glob_without_extension  # type: ignore[method-assign, assignment]
    try:
        import torchaudio
    finally:
        Path.glob = glob  # type: ignore[method-assign]
    return torchaudio


torchaudio = _import_torchaudio()
