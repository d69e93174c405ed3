"""Archives: what was written is read, anything else is refused, and opening one runs nothing."""

import errno
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from torch import nn

from zoo_core import archive, packing
from zoo_core.errors import CheckpointError, ZooError

TENSORS = {
    "weights": torch.arange(6.0).reshape(2, 3),
    "flags": torch.tensor([True, False]),
    "bytes": torch.arange(4, dtype=torch.uint8),
    "counter": torch.tensor(7),
    "nothing": torch.empty(0, 3),
    "half": torch.ones(2, dtype=torch.float16),
}


def write(tmp_path, name="file", header=None, tensors=TENSORS, readme=None):
    return archive.write_archive(tmp_path / name, header or {"kind": "test", "note": "ü"}, tensors, readme=readme)


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


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_tensors_of_nothing_are_written(tmp_path, shape):
    _, read = archive.read_archive(write(tmp_path, tensors={"none": torch.empty_strided(shape, (0,) * len(shape))}))
    assert read["none"].shape == shape


def test_the_same_content_gives_the_same_bytes(tmp_path):
    other_order = dict(reversed(TENSORS.items()))
    one, two = write(tmp_path, "one", readme="text"), write(tmp_path, "two", tensors=other_order, readme="text")
    assert one.read_bytes() == two.read_bytes()


def test_a_compressed_archive_is_none_of_ours_however_small(tmp_path):
    with pytest.raises(CheckpointError, match="is compressed or larger than the file"):
        archive.read_archive(forge(tmp_path, {}, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("dtype", archive._DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_every_dtype_is_written_as_safetensors_has_it(tmp_path, dtype, shape):
    tensor = (torch.arange(6) % 2)[: int(np.prod(shape))].reshape(shape).to(dtype)
    path = write(tmp_path, tensors={"odd": torch.ones(3, dtype=torch.uint8), "it": tensor})
    read = safetensors.torch.load(zipfile.ZipFile(path).read("tensors.safetensors"))["it"]
    assert read.dtype == dtype
    assert torch.equal(read, tensor)


def test_tensors_lie_at_multiples_of_their_size(tmp_path):
    data = zipfile.ZipFile(write(tmp_path)).read("tensors.safetensors")
    length = int.from_bytes(data[:8], "little")
    places = {name: entry["data_offsets"][0] for name, entry in json.loads(data[8 : 8 + length]).items()}
    assert length % 8 == 0
    assert all(places[name] % tensor.element_size() == 0 for name, tensor in TENSORS.items())


def test_a_dtype_without_a_place_in_a_file_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"cannot write x to a file: it is of torch\.complex128"):
        write(tmp_path, tensors={"x": torch.zeros(1, dtype=torch.complex128)})


def test_a_view_of_conjugates_is_written_as_it_reads(tmp_path):
    tensor = torch.tensor([1 + 2j]).conj()
    _, read = archive.read_archive(write(tmp_path, tensors={"x": tensor}))
    assert read["x"].item() == 1 - 2j


def test_the_description_can_be_read_alone(tmp_path):
    assert archive.read_header(write(tmp_path), kind="test")["note"] == "ü"


def test_a_readme_is_for_people_who_look_into_the_zip(tmp_path):
    path = write(tmp_path, readme="# A card, für alle\n")
    assert zipfile.ZipFile(path).read("README.md").decode() == "# A card, für alle\n"
    header, tensors = archive.read_archive(path)
    assert header["note"] == "ü"
    assert tensors.keys() == TENSORS.keys()


def test_a_description_that_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"zoo\.json of .*file\.zip would take 16,777,2\d\d bytes, the limit is"):
        write(tmp_path, header={"kind": "x" * 2**24})
    assert not list(tmp_path.iterdir())


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


def absurd(key, value):
    """Returns safetensors that lie about their one tensor."""
    layout = {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], key: value}}
    text = json.dumps(layout).encode()
    return len(text).to_bytes(8, "little") + text + bytes(4)


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
        ({"zoo.json": b'{"format": 1, "loss": NaN}'}, "zoo.json holds NaN, which is not JSON"),
        ({"zoo.json": b'{"format": 1, "n": ' + b"9" * 5_000 + b"}"}, "is damaged or was not written by the zoo"),
        ({"zoo.json": b"[" * 100_000}, "is damaged or was not written by the zoo: maximum recursion depth"),
        ({"zoo.json": b" " * (2**24 + 1)}, "zoo.json takes 16,777,217 bytes, which no description does"),
        ({"README.md": b" " * (2**24 + 1)}, "README.md takes 16,777,217 bytes"),
        ({"data.pkl": pickle.dumps(print)}, r"it holds 'zoo\.json', 'tensors\.safetensors', 'data\.pkl'"),
        ({"../evil.py": b""}, r"it holds .*'\.\./evil\.py'"),
        ({"/tmp/evil.py": b""}, r"it holds .*'/tmp/evil\.py'"),
        ({f"x{i}": b"" for i in range(100)}, r"its directory of members takes 5,\d\d\d bytes"),
        ({"tensors.safetensors": absurd("shape", [10**9, 10**9])}, "is damaged: "),
        ({"tensors.safetensors": absurd("data_offsets", [0, 2**63])}, "is damaged: "),
        ({"tensors.safetensors": absurd("dtype", "O")}, "is damaged: "),
        ({"tensors.safetensors": (2**63).to_bytes(8, "little") + b"{}"}, "is damaged: "),
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


def test_a_member_that_is_there_twice_is_refused(tmp_path):
    path = forge(tmp_path, {})
    with zipfile.ZipFile(path, "a") as zipped, pytest.warns(UserWarning, match="Duplicate name"):
        zipped.writestr("zoo.json", b'{"format": 1, "kind": "other"}')
    with pytest.raises(CheckpointError, match=r"it holds 'zoo\.json', 'tensors\.safetensors', 'zoo\.json'"):
        archive.read_archive(path)


def test_a_link_is_not_followed(tmp_path):
    path, link = tmp_path / "link.zip", zipfile.ZipInfo("zoo.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr(link, "/etc/hostname")
        zipped.writestr("tensors.safetensors", safetensors.torch.save(TENSORS))
    with pytest.raises(CheckpointError, match=r"zoo\.json is a link"):
        archive.read_archive(path)


def test_a_file_truncated_at_any_byte_is_refused(tmp_path):
    path = write(tmp_path, tensors={"x": torch.ones(2)}, readme="text")
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        with pytest.raises(CheckpointError, match="is damaged"):
            archive.read_archive(path)


@pytest.mark.parametrize(
    "place", [12, 16, 20]
)  # of the directory: its length, where it begins; of a comment: its length
def test_lies_about_the_directory_are_refused(tmp_path, place):
    path = write(tmp_path)
    data = bytearray(path.read_bytes())
    end = len(data) - 22
    data[end + place : end + place + 2] = b"\xf0\xff"
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="is damaged"):
        archive.read_archive(path)


def test_a_directory_with_sizes_of_64_bits_is_as_short(tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    body, end = data[:-22], data[-22:]
    for num_bytes, message in ((10**18, "takes 1,000,000,000,000,000,000 bytes"), (200, "is damaged")):
        record = b"PK\6\6" + (44).to_bytes(8, "little") + bytes(28) + num_bytes.to_bytes(8, "little") + bytes(8)
        locator = b"PK\6\7" + bytes(4) + len(body).to_bytes(8, "little") + (1).to_bytes(4, "little")
        path.write_bytes(body + record + locator + end[:12] + b"\xff" * 8 + b"\0\0")
        with pytest.raises(CheckpointError, match=message):
            archive.read_archive(path)


def test_an_archive_beyond_four_gigabytes_is_as_good(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)  # as if these were
    _, tensors = archive.read_archive(write(tmp_path))
    assert torch.equal(tensors["weights"], TENSORS["weights"])


@given(st.binary(max_size=200))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_an_archive_by_chance(tmp_path, data):
    (tmp_path / "any.zip").write_bytes(data)
    with pytest.raises(CheckpointError, match="is damaged or was not written by the zoo"):
        archive.read_archive(tmp_path / "any.zip")


def test_a_file_that_the_system_does_not_hand_out_is_not_called_damaged(tmp_path, monkeypatch):
    path = write(tmp_path)
    monkeypatch.setattr(type(path), "open", refuse(errno.EACCES))
    with pytest.raises(CheckpointError, match=r"file\.zip cannot be read: Permission denied"):
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
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.write_atomically(path, fail)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.zip"]


def refuse(number):
    """Returns a function that fails as the system does."""

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


REFUSALS = {errno.ENOSPC: "no space left on device", errno.EACCES: "permission denied"}


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize("where", ["os.fsync", "os.replace", "os.chmod", "os.fdopen", "tempfile.mkstemp"])
def test_a_full_disk_or_a_closed_directory_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, number, where):
    path = write(tmp_path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(where, refuse(number))
        with pytest.raises(ZooError) as caught:
            write(tmp_path, header={"kind": "new"})
    assert str(caught.value) == f"cannot write {path}: {REFUSALS[number]}; the file that was there before is unchanged"
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.zip"]


@pytest.mark.parametrize("part", [0, 30, 300, 700])
def test_a_disk_that_is_full_in_the_middle_of_a_file_leaves_the_old_one(tmp_path, monkeypatch, part):
    path, fdopen = write(tmp_path), os.fdopen
    before, left = path.read_bytes(), part

    def open_small(descriptor, mode):
        file = fdopen(descriptor, mode, buffering=0)

        class Small:
            def __getattr__(self, name):
                return getattr(file, name)

            def __enter__(self):
                return self

            def __exit__(self, *exc_info):
                file.close()

            def write(self, data):
                nonlocal left
                left -= len(data)
                if left < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return file.write(data)

        return Small()

    monkeypatch.setattr("os.fdopen", open_small)
    with pytest.raises(ZooError, match="no space left on device; the file that was there before is unchanged"):
        write(tmp_path, header={"kind": "new"})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.zip"]


def test_a_first_file_that_cannot_be_written_has_none_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", refuse(errno.EROFS))
    with pytest.raises(ZooError) as caught:
        write(tmp_path)
    assert str(caught.value) == f"cannot write {tmp_path / 'file.zip'}: read-only file system"
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(ZooError, match=r"cannot write .*/taken/file\.zip: (file exists|not a directory)"):
        write(tmp_path, "taken/file")


def test_a_system_that_syncs_no_directories_gets_its_file(tmp_path, monkeypatch):
    real = os.open
    monkeypatch.setattr(
        "os.open", lambda path, *mode: refuse(errno.EACCES)() if path == tmp_path else real(path, *mode)
    )
    archive.write_atomically(tmp_path / "file", lambda file: file.write(b"whole"))
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_what_is_put_before_or_after_an_archive_is_noticed(tmp_path):
    path = write(tmp_path)
    data = path.read_bytes()
    for changed in (pickle.dumps(1) + data, data + b"\0", data[:-2] + b"\1\0\0"):
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="is damaged"):
            archive.read_archive(path)


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
        packing.load_weights(nn.Linear(2, 2), tensors)
