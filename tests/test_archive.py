"""Archives: what was written is read, anything else is refused, and opening one runs nothing."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from zoo_core import archive
from zoo_core.errors import CheckpointError

TENSORS = {
    "weights": torch.arange(6.0).reshape(2, 3),
    "flags": torch.tensor([True, False]),
    "bytes": torch.arange(4, dtype=torch.uint8),
    "counter": torch.tensor(7),
    "nothing": torch.empty(0, 3),
    "half": torch.ones(2, dtype=torch.float16),
}


def write(tmp_path, name="file", header=None, tensors=TENSORS):
    return archive.write_archive(tmp_path / name, header or {"kind": "test", "note": "ü"}, tensors)


def test_what_was_written_is_read(tmp_path):
    path = write(tmp_path)
    assert path == tmp_path / "file.zip"
    for name in ("file", "file.zip"):
        header, tensors = archive.read_archive(tmp_path / name, kind="test")
        assert header["note"] == "ü"
        assert tensors.keys() == TENSORS.keys()
        for key, tensor in TENSORS.items():
            assert tensors[key].dtype == tensor.dtype
            assert torch.equal(tensors[key], tensor)


def test_views_and_parameters_are_written_as_they_are(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"view": base[:, 1], "same": base[:, 1], "parameter": nn.Parameter(base.T)}
    _, read = archive.read_archive(write(tmp_path, tensors=tensors))
    assert torch.equal(read["view"], base[:, 1])
    assert torch.equal(read["parameter"], base.T)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    assert write(tmp_path, "one").read_bytes() == write(tmp_path, "two").read_bytes()


def test_folders_are_made_and_suffixes_kept(tmp_path):
    assert write(tmp_path, "deep/er/model.v1") == tmp_path / "deep/er/model.v1.zip"


def test_a_run_directory_stands_for_its_agent(tmp_path):
    write(tmp_path, "runs/x/agent")
    assert archive.find_archive(tmp_path / "runs/x") == tmp_path / "runs/x/agent.zip"


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no saved model or agent at .*nothing \(looked for .*nothing.zip"):
        archive.read_archive(tmp_path / "nothing")


def test_another_kind_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds a file of kind 'test', expected 'agent'"):
        archive.read_archive(write(tmp_path), kind="agent")


def test_a_later_format_asks_for_an_upgrade(tmp_path):
    path = forge(tmp_path, {"zoo.json": json.dumps({"format": 99, "kind": "test"}).encode()})
    with pytest.raises(CheckpointError, match="has format 99, this version reads 1: upgrade zoo-core"):
        archive.read_archive(path)


def forge(tmp_path, members, compression=zipfile.ZIP_STORED):
    """Writes an archive member by member; what is not given is valid."""
    valid = {"zoo.json": b'{"format": 1, "kind": "test"}', "tensors.safetensors": safetensors.torch.save(TENSORS)}
    path = tmp_path / "forged.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in {**valid, **members}.items():
            if data is not None:
                archive.writestr(name, data)
    return path


class Bomb:
    """What a pickle may hold."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"zoo.json": None}, "is damaged or was not written by the zoo"),
        ({"tensors.safetensors": None}, "is damaged or was not written by the zoo"),
        ({"zoo.json": b"{"}, "is damaged or was not written by the zoo"),
        ({"zoo.json": b"[1]"}, "its zoo.json names no format"),
        ({"zoo.json": b'{"kind": "test"}'}, "its zoo.json names no format"),
        ({"zoo.json": b"\xff\xfe"}, "is damaged or was not written by the zoo"),
        ({"tensors.safetensors": b"12345678nonsense"}, "is damaged"),
        ({"tensors.safetensors": pickle.dumps(Bomb())}, "is damaged"),
        ({"zoo.json": pickle.dumps(Bomb())}, "is damaged"),
    ],
)
def test_a_foreign_archive_is_refused_and_runs_nothing(tmp_path, monkeypatch, members, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        archive.read_archive(forge(tmp_path, members))
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.zip").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="is damaged or was not written by the zoo"):
        archive.read_archive(tmp_path / "model")
    assert not (tmp_path / "exploded").exists()


def test_a_member_that_would_unpack_to_more_than_the_file_is_refused(tmp_path):
    path = forge(tmp_path, {"tensors.safetensors": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="is compressed or larger than the file"):
        archive.read_archive(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(tmp_path, part):
    path = write(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(CheckpointError, match="is damaged"):
        archive.read_archive(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = write(tmp_path, tensors={"weights": torch.full((64,), 0.5)})
    data = bytearray(path.read_bytes())
    data[data.index(np.float32(0.5).tobytes()) + 40] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="is damaged"):
        archive.read_archive(path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path, header={"kind": "test", "loss": float("nan")})

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        archive.write_atomically(path, fail)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.zip"]


def test_files_are_readable_as_others_are(tmp_path):
    (tmp_path / "plain").touch()
    assert write(tmp_path).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_is_written_whole(tmp_path):
    archive.write_json(tmp_path / "run.json", {"seed": 1})
    assert json.loads((tmp_path / "run.json").read_text()) == {"seed": 1}


@pytest.mark.parametrize(
    "tensors",
    [
        {"weight": torch.zeros(2, 2)},
        {"weight": torch.zeros(3, 3), "bias": torch.zeros(2)},
        {"weight": torch.zeros(2, 2), "bias": torch.zeros(2), "more": torch.zeros(1)},
    ],
)
def test_weights_that_do_not_fit_are_refused(tensors):
    with pytest.raises(CheckpointError, match="the weights do not fit Linear"):
        archive.load_weights(nn.Linear(2, 2), tensors)
