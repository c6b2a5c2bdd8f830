"""Import torchaudio beside a CPU build of torch.

The torchaudio wheel links CUDA, so loading its compiled library fails beside a CPU torch. We use its Python functions
only: with a CPU torch its own module that loads the library is replaced, before the package is imported, by one that
says there is none (a case torchaudio supports). Nothing else is touched, and with a CUDA torch nothing at all.
"""

import sys
from types import ModuleType

import torch


def _without_library() -> ModuleType:
    """What the rest of torchaudio asks of its module `_extension`, for a build without a compiled library."""
    module = ModuleType("torchaudio._extension")
    module._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    module.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    return module


if torch.version.cuda is None and "torchaudio" not in sys.modules:
    sys.modules["torchaudio._extension"] = _without_library()

import torchaudio  # noqa: E402, F401
import torchaudio.compliance.kaldi  # noqa: E402, F401
