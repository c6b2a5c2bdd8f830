"""Feature shards: round trip, same bytes, stale shards are refused with both keys."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.features.base import key_of
from syncvoice.features.cache import FeatureStore, extract_shard, write_shard
from syncvoice.records.clips import Clip

CLIPS = [
    Clip(f"clip {k}", "s", "d", "p", "", "", "en", "", f"text {k}", None, Path("a.wav"), 10 + k, audio_sha256=f"{k}")
    for k in range(4)
]


class Counter:
    """A feature that needs no file."""

    name, version, fps, dim, weights_sha256 = "counter", "1", 25.0, 2, None
    source_fields = ("audio_sha256",)

    def __init__(self, **settings: int) -> None:
        self.settings = settings

    def extract(self, clip: Clip) -> np.ndarray:
        return np.full((clip.n_frames, 2), int(clip.audio_sha256), np.float32)


def test_round_trip_and_mapping(tmp_path: Path) -> None:
    extract_shard(tmp_path / "0.h5", Counter(), CLIPS[:2], "count")
    extract_shard(tmp_path / "1.h5", Counter(), CLIPS[2:], "count")
    with FeatureStore([tmp_path / "0.h5", tmp_path / "1.h5"], key_of(Counter())) as store:
        assert len(store) == 4 and set(store) == {clip.id for clip in CLIPS} and store.dim == 2
        assert store["clip 3"].shape == (13, 2) and store["clip 3"].dtype == np.float32 and store["clip 3"][0, 0] == 3
        assert "nobody" not in store
        store.check(CLIPS)


def test_same_items_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in ("a.h5", "b.h5"):
        extract_shard(tmp_path / name, Counter(), CLIPS, "count")
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    extract_shard(tmp_path / "c.h5", Counter(), CLIPS[::-1], "count")
    digests.add(hashlib.sha256((tmp_path / "c.h5").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    "change", [{"version": "2"}, {"settings": {"window": 3}}, {"weights_sha256": "ff"}, {"extractor": "other"}]
)
def test_stale_shard_is_refused_with_both_keys(tmp_path: Path, change: dict[str, object]) -> None:
    extract_shard(tmp_path / "0.h5", Counter(), CLIPS)
    expected = {**key_of(Counter()), **change}
    with pytest.raises(UserError) as caught:
        FeatureStore([tmp_path / "0.h5"], expected)
    text = str(caught.value)
    assert "found" in text and "expected" in text and '"version": "1"' in text
    assert all(str(value) in text.replace('"', "'") for value in change.values())


def test_changed_or_missing_clips_are_noticed(tmp_path: Path) -> None:
    extract_shard(tmp_path / "0.h5", Counter(), CLIPS[:3])
    store = FeatureStore([tmp_path / "0.h5"])
    store.check([replace(CLIPS[0], text="the feature does not depend on the text")])
    with pytest.raises(UserError, match="'clip 1'.*stale"):
        store.check([CLIPS[0], replace(CLIPS[1], audio_sha256="7")])
    with pytest.raises(UserError, match="'clip 3' is in none"):
        store.check(CLIPS)


def test_source_digest_is_part_of_the_key(tmp_path: Path) -> None:
    extract_shard(tmp_path / "0.h5", Counter(), CLIPS)
    extract_shard(tmp_path / "1.h5", Counter(), [replace(CLIPS[0], audio_sha256="9"), *CLIPS[1:]])
    first, second = (FeatureStore([tmp_path / name]).keys_by_path[tmp_path / name] for name in ("0.h5", "1.h5"))
    assert first.pop("source_sha256") != second.pop("source_sha256") and first == second


def test_mixed_shards_are_refused(tmp_path: Path) -> None:
    extract_shard(tmp_path / "0.h5", Counter(), CLIPS[:2])
    extract_shard(tmp_path / "1.h5", Counter(window=3), CLIPS[2:])
    with pytest.raises(UserError, match="different extractors"):
        FeatureStore([tmp_path / "0.h5", tmp_path / "1.h5"])


def test_unreadable_shards_are_user_errors(tmp_path: Path) -> None:
    import h5py

    (tmp_path / "text.h5").write_text("no hdf5")
    h5py.File(tmp_path / "bare.h5", "w").close()
    for name, words in (("none.h5", "does not exist"), ("text.h5", "HDF5"), ("bare.h5", "cache key")):
        with pytest.raises(UserError, match=words):
            FeatureStore([tmp_path / name])


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def items():
        yield "a", np.zeros(3)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(tmp_path / "0.h5", {}, items())
    assert list(tmp_path.iterdir()) == []
