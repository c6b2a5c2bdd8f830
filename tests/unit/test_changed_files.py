"""Nothing wrong in silence: changed files are refused, errors of the system fail a job, killed jobs leave no litter."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest

from syncvoice import cli
from syncvoice.audio import read_wav, write_wav
from syncvoice.errors import ChangedFile, UserError
from syncvoice.features.cache import FeatureStore, write_shard
from syncvoice.files import atomic_path, sha256_of
from syncvoice.generation.work import save
from syncvoice.metrics.speech_folder import score_rows
from syncvoice.records.clips import Clip
from syncvoice.records.sound import sound_of
from syncvoice.records.speech import read_speech, write_speech
from syncvoice.records.tasks import read_rows, read_task
from syncvoice.video.media import ClipProblem, opened
from syncvoice.video.store import TrackReader, TrackWriter
from syncvoice.video.track import Track

PASSING = [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.ENOSPC]
SOUND = np.sin(np.arange(24_000) / 20).astype(np.float32) / 2


def flip(path: Path, stored: bytes) -> None:
    """Flip one bit in the middle of what a file holds."""
    content = bytearray(path.read_bytes())
    content[content.index(stored) + len(stored) // 2] ^= 0x10
    path.write_bytes(content)


def halve(path: Path) -> None:
    """Keep half the samples of a WAV, with a header that says so."""
    audio, rate = read_wav(path)
    write_wav(path, audio[: len(audio) // 2], rate)


def flip_middle(path: Path) -> None:
    """Flip one bit of a sample."""
    flip(path, path.read_bytes()[100:])


@pytest.mark.parametrize("change", [halve, flip_middle])
def test_changed_prepared_sound_is_refused(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, SOUND, 24_000)
    names = dict.fromkeys(("split", "dataset", "speaker", "sex", "voice_seen", "language", "source", "text"), "x")
    clip = Clip(id="a", video=None, audio=path, n_frames=25, audio_sha256=sha256_of(path), **names)
    assert len(sound_of(clip, 16_000)) == 16_000
    change(path)
    with pytest.raises(ChangedFile, match="is not the file that was written: sha256"):
        sound_of(clip, 16_000)


class Length:
    """A scorer that needs no weights: the length of the speech."""

    NAME, VERSION, weights_sha256, BATCH = "length", "1", "", 1

    def check(self, row: object) -> None:
        """Every row can be scored."""

    def metrics_for(self, row: object) -> list[str]:
        """One metric."""
        return ["length"]


@pytest.mark.parametrize("change", [halve, flip_middle])
def test_changed_generated_sound_fails_the_scoring(tmp_path: Path, change: Callable[[Path], None]) -> None:
    write_speech(tmp_path, [save(tmp_path, "a", "", SOUND)])
    change(tmp_path / "a.wav")
    rows = [{"utterance": "a", "clip": "a"}]
    with pytest.raises(ChangedFile, match=r"a\.wav is not the file that was written"):
        list(score_rows(Length(), rows, read_speech(tmp_path), tmp_path, {}))


def test_speech_of_others_has_no_digests(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", SOUND, 24_000)
    assert read_speech(tmp_path)[0]["sha256"] == ""


def test_flipped_feature_is_refused(tmp_path: Path) -> None:
    path, values = tmp_path / "shard-0.h5", np.arange(600, dtype=np.float32).reshape(6, 100)
    write_shard(
        path, {"extractor": "x"}, [("a", values), ("b", values + 1), ("empty", values[:0]), ("one", values[0, 0])]
    )
    flip(path, values.tobytes())
    with FeatureStore([path]) as store:
        assert store["b"][0, 0] == 1 and store["empty"].shape == (0, 100) and store["one"] == 0
        with pytest.raises(ChangedFile, match="values of 'a' changed on the disk"):
            store["a"]


def test_flipped_header_of_a_shard_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "shard-0.h5"
    write_shard(path, {"extractor": "x"}, [("a", np.ones(3, np.float32))])
    with h5py.File(path, "a") as file:
        file.attrs["key"] = file.attrs["key"][:-5]
    with pytest.raises(ChangedFile, match="its header changed on the disk"):
        FeatureStore([path])


@pytest.mark.parametrize("part", ["landmarks", "mouth"])
def test_flipped_track_is_refused(tmp_path: Path, part: str) -> None:
    rng = np.random.default_rng(0)
    track = Track(rng.random((4, 478, 3), np.float32), np.ones(4, bool), rng.random((4, 4), np.float32))
    images = [rng.integers(0, 255, 300 + i, np.uint8) for i in range(4)]
    path = tmp_path / "tracks.h5"
    with TrackWriter(path) as writer:
        writer.add("a", track, images, images)
    with h5py.File(path) as file:
        stored = file["a/landmarks"].id.read_direct_chunk((0, 0, 0))[1] if part == "landmarks" else images[2].tobytes()
    flip(path, stored)
    with TrackReader(path) as reader, pytest.raises(ChangedFile, match=f"{part} of clip 'a' was changed on the disk"):
        reader.track("a") if part == "landmarks" else reader.mouth("a")


def test_task_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.csv"
    path.write_text("utterance,clip\n")
    with pytest.raises(UserError, match="lists no utterance"):
        read_rows(path, ["utterance"])
    path.write_text("")
    with pytest.raises(UserError, match="lacks the columns"):
        read_task(path)


@pytest.mark.parametrize("number", PASSING)
def test_errors_of_the_system_exclude_no_clip(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    with mock.patch("av.open", side_effect=OSError(number, os.strerror(number))), pytest.raises(OSError) as raised:
        with opened(path):
            pass
    assert raised.value.errno == number and raised.value.filename == str(path)
    write_wav(tmp_path / "a.wav", SOUND, 24_000)
    with mock.patch.object(Path, "read_bytes", side_effect=OSError(number, "x")), pytest.raises(OSError) as raised:
        read_wav(tmp_path / "a.wav")
    assert raised.value.errno == number


def test_undecodable_data_exclude_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video" * 50)
    with pytest.raises(ClipProblem, match="cannot be decoded"):
        with opened(path):
            pass


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "make room there and run the same command again"), (errno.EIO, "mend it")]
)
def test_command_tells_of_a_full_disk_and_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int, advice: str
) -> None:
    def run(args: object) -> None:
        with atomic_path(tmp_path / "out.wav"):
            raise OSError(number, os.strerror(number))

    with mock.patch("syncvoice.commands.tasks.run", run):
        status = cli.main(["tasks", "--settings", "s", "--manifest", "m", "--references", "r", "--out", "o"])
    assert status == 1  # 2 would mean that trying again is of no use
    message = capsys.readouterr().err
    assert f"{tmp_path / 'out.wav'}" in message and os.strerror(number) in message and advice in message


def test_full_disk_is_named_by_every_writer(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised, atomic_path(tmp_path / "model.safetensors"):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(tmp_path / "model.safetensors")
    with mock.patch.object(Path, "write_bytes", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        with pytest.raises(OSError, match="No space left"):
            write_wav(tmp_path / "a.wav", SOUND, 24_000)


def test_temporary_file_of_a_killed_job_is_removed(tmp_path: Path) -> None:
    path, host = tmp_path / "shard-0.h5", os.uname().nodename
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    dead, alive = tmp_path / f".shard-0.{host}-{process}.tmp.h5", tmp_path / f".shard-0.{host}-{os.getppid()}.tmp.h5"
    other, old = tmp_path / ".shard-0.elsewhere-7.tmp.h5", tmp_path / ".shard-0.elsewhere-8.tmp.h5"
    for file in (dead, alive, other, old):
        file.touch()
    os.utime(old, (0, 0))
    with atomic_path(path) as temporary:
        temporary.touch()
    assert sorted(tmp_path.iterdir()) == sorted([alive, other, path])
