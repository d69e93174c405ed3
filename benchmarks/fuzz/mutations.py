"""What becomes of a good file: damage to its bytes, well-formed nonsense in its members, foreign and hostile files.

Every mutation draws from one generator, so a seed and a number name a file.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

Rng = np.random.Generator
Members = dict[str, bytes]
MARKER = "exploded"  # the directory that a pickle makes where it is opened
_PARTS = ("agent", "world_model", "run", "segment")  # of a description, which may name a class and a config
HEADER, TENSORS, README = "zoo.json", "tensors.safetensors", "README.md"


class Mutant(NamedTuple):
    """A file that may be anything.

    Attributes:
        mutation: what was done to it.
        source: the name of the good file.
        data: its bytes.
        only_bytes: whether nothing but damage was done; what can still be read must be what was written.
    """

    mutation: str
    source: str
    data: bytes
    only_bytes: bool


class _Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, (MARKER,)


PICKLE = pickle.dumps(_Bomb())


def mutate(corpus: Mapping[str, bytes], rng: Rng) -> Mutant:
    """Returns one mutant of one of the files, chosen at random."""
    source = _pick(rng, sorted(corpus))
    data = corpus[source]
    kind = rng.random()
    if kind < 0.35:
        change = _pick(rng, _DAMAGES)
        return Mutant(_name(change), source, change(data, rng), True)
    if kind < 0.85:
        change = _pick(rng, _NONSENSE)
        return Mutant(_name(change), source, change(_unzip(data), rng), False)
    make = _pick(rng, _FOREIGN)
    return Mutant(_name(make), source, make(corpus, data, rng), False)


# -- damage to bytes ---------------------------------------------------------------------------------------------------


def _truncated(data: bytes, rng: Rng) -> bytes:
    return data[: rng.integers(len(data))]


def _flipped_bits(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 9)):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _overwritten(data: bytes, rng: Rng) -> bytes:
    begin, length = int(rng.integers(len(data))), int(rng.integers(1, 65))
    return data[:begin] + rng.bytes(length) + data[begin + length :]


def _cut_out(data: bytes, rng: Rng) -> bytes:
    begin, length = int(rng.integers(len(data))), int(rng.integers(1, 1_025))
    return data[:begin] + data[begin + length :]


def _inserted(data: bytes, rng: Rng) -> bytes:
    begin = int(rng.integers(len(data) + 1))
    choices = [PICKLE, rng.bytes(int(rng.integers(1, 100))), data[: int(rng.integers(200))], b"\0" * 70_000]
    junk: bytes = _pick(rng, choices)
    return data[:begin] + junk + data[begin:]


def _lying_sizes(data: bytes, rng: Rng) -> bytes:
    """Changes numbers of the zip's own records: sizes, offsets, counts, flags, methods."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        record, length = _pick(rng, [(b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22)])
        place = data.find(record, int(rng.integers(len(data))))
        width = _pick(rng, [2, 4])
        if place >= 0:
            place += int(rng.integers(4, length - width + 1))
            number = _pick(rng, [0, 1, len(data), 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(2**32))])
            changed[place : place + width] = (number % 256**width).to_bytes(width, "little")
    return bytes(changed)


# -- well-formed nonsense ----------------------------------------------------------------------------------------------


def _wrong_value(members: Members, rng: Rng) -> bytes:
    """Replaces one to three values of the description."""
    header = json.loads(members[HEADER])
    for _ in range(int(rng.integers(1, 4))):
        parent, key = _place(header, rng)
        parent[key] = copy.deepcopy(_pick(rng, _WRONG))  # the next value may go into it
    return _with_header(members, header, rng)


def _missing_value(members: Members, rng: Rng) -> bytes:
    header = json.loads(members[HEADER])
    parent, key = _place(header, rng)
    del parent[key]
    return _with_header(members, header, rng)


def _swapped_values(members: Members, rng: Rng) -> bytes:
    header = json.loads(members[HEADER])
    (one, a), (other, b) = _place(header, rng), _place(json.loads(members[HEADER]), rng)
    one[a] = other[b]
    return _with_header(members, header, rng)


def _foreign_class(members: Members, rng: Rng) -> bytes:
    header = json.loads(members[HEADER])
    part = _part(header, rng)
    part["class"] = _pick(
        rng,
        [
            "os:system",
            "builtins:eval",
            "subprocess:Popen",
            "zoo_core.agent:Agent",
            "zoo_core.world_model:WorldModel",
            "zoo_core.cli.app:main",
            "zoo_sb3.learner:Learner",
            "zoo_unheard_of.agent:Agent",
            "../evil:Agent",
            "x" * 100_000 + ":y",
        ],
    )
    return _with_header(members, header, rng)


def _foreign_function(members: Members, rng: Rng) -> bytes:
    """Names functions in the config, where they may stand and where they may not."""
    header = json.loads(members[HEADER])
    part = _part(header, rng)
    name = _pick(rng, ["os:system", "os:mkdir", "builtins:exec", "zoo_core.archive:os.mkdir", "torch.nn:Linear", "x:y"])
    value = _pick(rng, [name, {"function": name}, {"function": None, "repr": name}, {"function": name, "repr": 3}])
    config = part["config"] if isinstance(part.get("config"), dict) else {}
    key = _pick(rng, [*config, "reward_fn", "termination_fn", "policy_kwargs"])
    config[key] = _pick(rng, [value, [value], {"activation_fn": value}, {"policy_kwargs": {"optimizer_class": value}}])
    part["config"] = config
    return _with_header(members, header, rng)


def _broken_json(members: Members, rng: Rng) -> bytes:
    text = bytearray(members[HEADER])
    for place in rng.integers(len(text), size=int(rng.integers(1, 5))):
        text[place] = int(_pick(rng, list(b'{}[],:"\\0x-eNn\xff\0')))
    return _zip({**members, HEADER: bytes(text)})


def _wrong_tensors(members: Members, rng: Rng) -> bytes:
    """Rewrites the tensors in good form: some are missing, of other shapes, types, names or values."""
    tensors = _load_tensors(members[TENSORS])
    for name in rng.permutation(sorted(tensors))[: int(rng.integers(1, 4))]:
        tensor = tensors.pop(str(name))
        changed: list[tuple[str, Any]] = [
            (f"{name}x", tensor),
            (name, tensor.reshape(-1)[: tensor.numel() // 2]),
            (name, tensor[None]),
            (name, torch.empty(0)),
            (name, torch.full_like(tensor.float(), torch.nan)),
            (name, tensor.to(_pick(rng, [torch.uint8, torch.int64, torch.float64, torch.bool, torch.complex64]))),
            ("", tensor),
        ]
        new_name, changed_tensor = _pick(rng, [*changed, (None, None)])
        if new_name is not None:
            tensors[str(new_name)] = changed_tensor
    return _zip({**members, TENSORS: _save_tensors(tensors)})


def _absurd_tensors(members: Members, rng: Rng) -> bytes:
    """Lies in the header of the tensors: shapes of 10^18, offsets beyond the end, lengths of headers."""
    data = members[TENSORS]
    length = int.from_bytes(data[:8], "little")
    layout = json.loads(data[8 : 8 + length])
    entry = layout[_pick(rng, sorted(layout))] if layout else layout.setdefault("x", {})
    number = _pick(rng, [-1, 0, 2**31, 2**63 - 1, 2**64, 10**18, 1.5, "4", None, []])
    key = _pick(rng, ["shape", "data_offsets", "dtype", "length"])
    if key == "length":
        lie = int(_pick(rng, [0, 1, 2**20, 2**31, 2**63, 2**64 - 1, length - 1, length + 1]))
        return _zip({**members, TENSORS: lie.to_bytes(8, "little") + data[8:]})
    wrong = {
        "shape": [[number], [number, 0], [10**18, 10**18], [1] * 1_000, number],
        "data_offsets": [[0, number], [number, number], [8, 0], [0], number],
        "dtype": ["F4", "F128", "O", "", number],
    }
    entry[key] = _pick(rng, wrong[key])
    text = json.dumps(layout).encode()
    return _zip({**members, TENSORS: len(text).to_bytes(8, "little") + text + data[8 + length :]})


def _wrong_members(members: Members, rng: Rng) -> bytes:
    """Adds, drops, doubles, packs and renames members of the zip."""
    extra = _pick(
        rng, ["../evil.py", "/tmp/evil.py", "C:\\evil.py", "data.pkl", "zoo.json/x", "", HEADER, README, "x\0y"]
    )
    content = _pick(rng, [PICKLE, b"", _zip(members), b"import os"])
    parts = list(members.items())
    action = _pick(rng, ["add", "drop", "pack", "link", "rename", "first"])
    method, mode = zipfile.ZIP_STORED, 0o600
    if action == "add":
        parts.append((extra, content))
    elif action == "first":
        parts.insert(0, (extra, content))
    elif action == "drop":
        del parts[int(rng.integers(len(parts)))]
    elif action == "pack":
        method = _pick(rng, [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    elif action == "link":
        mode = 0o120777
        parts[int(rng.integers(len(parts)))] = (_pick(rng, [HEADER, TENSORS]), b"../../../etc/passwd")
    else:
        place = int(rng.integers(len(parts)))
        parts[place] = (extra, parts[place][1])
    return _zip(parts, method, mode)


def _planted_pickle(members: Members, rng: Rng) -> bytes:
    """Puts a pickle in the place of a member, or into the description as SB3 does."""
    header = json.loads(members[HEADER])
    coded = base64.b64encode(PICKLE).decode()
    parent, key = _place(header, rng)
    parent[key] = _pick(rng, [coded, {":type:": "<class 'function'>", ":serialized:": coded}])
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=True, a=np.array([_Bomb()], dtype=object))
    content = _pick(rng, [PICKLE, archive.getvalue(), _torch_pickle()])
    planted = {HEADER: json.dumps(header).encode()} if rng.random() < 0.5 else {_pick(rng, [*members]): content}
    return _zip({**members, **planted})


def _zip_bomb(members: Members, rng: Rng) -> bytes:
    name = _pick(rng, [HEADER, TENSORS, README, "more"])
    nested = _zip({"zeros": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    content = _pick(rng, [b"[" * 1_000_000, b" " * 20_000_000, nested])
    return _zip({**members, name: content}, _pick(rng, [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]))


# -- foreign files -----------------------------------------------------------------------------------------------------


def _not_an_archive(corpus: Mapping[str, bytes], data: bytes, rng: Rng) -> bytes:
    archive = io.BytesIO()
    np.savez(archive, a=np.zeros(3))
    choices = [b"", b"\0", PICKLE, _torch_pickle(), archive.getvalue(), b"<html>", _zip({}), rng.bytes(500)]
    foreign: bytes = _pick(rng, choices)
    return foreign


def _joined(corpus: Mapping[str, bytes], data: bytes, rng: Rng) -> bytes:
    other = corpus[_pick(rng, sorted(corpus))]
    begin, end = int(rng.integers(len(data))), int(rng.integers(len(other)))
    return data[:begin] + other[end:]


def _mixed_members(corpus: Mapping[str, bytes], data: bytes, rng: Rng) -> bytes:
    """Takes the description of one file and the tensors of another."""
    other = _unzip(corpus[_pick(rng, sorted(corpus))])
    return _zip({**_unzip(data), TENSORS: other[TENSORS]})


def _nested(corpus: Mapping[str, bytes], data: bytes, rng: Rng) -> bytes:
    around = {} if rng.random() < 0.5 else _unzip(data)
    return _zip({**around, _pick(rng, [HEADER, TENSORS, README, "agent.zip"]): data})


def _many_members(corpus: Mapping[str, bytes], data: bytes, rng: Rng) -> bytes:
    return _zip({**_unzip(data), **{f"member-{i}": b"" for i in range(2_000)}})


_DAMAGES: list[Callable[[bytes, Rng], bytes]] = [
    _truncated, _flipped_bits, _overwritten, _cut_out, _inserted, _lying_sizes,
]  # fmt: skip
_NONSENSE: list[Callable[[Members, Rng], bytes]] = [
    _wrong_value, _wrong_value, _wrong_value, _missing_value, _swapped_values, _foreign_class, _foreign_function,
    _broken_json, _wrong_tensors, _absurd_tensors, _wrong_members, _planted_pickle, _zip_bomb,
]  # fmt: skip
_FOREIGN: list[Callable[[Mapping[str, bytes], bytes, Rng], bytes]] = [
    _not_an_archive, _joined, _mixed_members, _nested, _many_members,
]  # fmt: skip

# Stand for what `json.dumps` cannot write.
_TOKENS = {
    "@nan": "NaN", "@inf": "-Infinity", "@huge": "9" * 5_000, "@exponent": "1e999", "@double": '{"a": 1, "a": 2}',
    "@deep": "[" * 100_000 + "]" * 100_000, "@deeper": '{"dict": [[0,' * 300 + "0" + "]]}" * 300,
    "@nested": '{"a": ' * 900 + "0" + "}" * 900, "@nested lists": "[" * 900 + "]" * 900,
}  # fmt: skip
_WRONG: list[Any] = [
    None, True, False, -1, 0, 1, 3, 0.5, -1e308, 2**31, 2**53, 2**63, 2**70, 10**12, 10**18, 10**30, "", "x", "\0",
    "os:system", "zoo_core.cli.app:main", "antigravity:Env-v0", "../../evil", "\ud800", "9" * 1_000, "y" * 100_000,
    [], {}, [[]], [None], [1, 2, 3], [10**12], [-1], ["inf"], {"a": 1}, {"float": "nan"}, {"float": "x"}, {"float": []},
    {"function": "os:system"}, {"function": []}, {"tensor": "none"}, {"tensor": []}, {"dict": 5}, {"dict": [[[], 1]]},
    {"list": [{"tuple": [1]}]},
    {"type": "Discrete", "n": 2**70, "start": 0},
    {"type": "Discrete", "n": 10**12, "start": 0},
    {"type": "Box", "low": 0, "high": 1, "shape": [10**12], "dtype": "float32"},
    {"type": "Box", "low": 0, "high": 1, "shape": [10**5, 10**5], "dtype": "uint8"},
    {"type": "Box", "low": "nan", "high": 1, "shape": [3], "dtype": "float32"},
    {"type": "Box", "low": "-inf", "high": "inf", "shape": [3], "dtype": "uint8"},
    {"type": "Box", "low": 0, "high": 1, "shape": [3], "dtype": "S1000000000"},
    {"type": "MultiBinary", "n": 10**12}, {"type": "MultiDiscrete", "nvec": [10**9] * 4, "dtype": "int64"},
    {"type": "Tuple", "spaces": [{"type": "Box", "low": 0, "high": 1, "shape": [10**7], "dtype": "float64"}] * 500},
    *_TOKENS,
]  # fmt: skip


def _place(header: Any, rng: Rng) -> tuple[Any, Any]:
    """Returns a random place in a description, as a dict or list and the key in it; seldom deep in long lists."""
    parent, key = header, _pick(rng, sorted(header))
    while isinstance(parent[key], dict | list) and parent[key] and rng.random() < 0.8:
        parent = parent[key]
        key = _pick(rng, sorted(parent) if isinstance(parent, dict) else range(len(parent)))
    return parent, key


def _part(header: Any, rng: Rng) -> dict[str, Any]:
    """Returns a part of a description that has a class and a config, or may be given them."""
    found: dict[str, Any] = header[_pick(rng, [key for key in _PARTS if key in header])]
    return found


def _with_header(members: Members, header: Any, rng: Rng) -> bytes:
    text = json.dumps(header)
    for token, written in _TOKENS.items():
        text = text.replace(json.dumps(token), written)
    return _zip({**members, HEADER: text.encode()})


def _unzip(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(
    members: Mapping[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED, mode: int = 0o600
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.NameToInfo.pop(name, None)  # or a second member of this name would warn
            archive.writestr(info, content, method)
    return file.getvalue()


def _load_tensors(data: bytes) -> dict[str, torch.Tensor]:
    import safetensors.torch

    return safetensors.torch.load(data)


def _save_tensors(tensors: Mapping[str, torch.Tensor]) -> bytes:
    import safetensors.torch

    return safetensors.torch.save({name: tensor.clone().contiguous() for name, tensor in tensors.items()})


def _torch_pickle() -> bytes:
    file = io.BytesIO()
    torch.save({"weights": _Bomb()}, file)
    return file.getvalue()


def _pick(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _name(function: Callable[..., Any]) -> str:
    return function.__name__.strip("_").replace("_", " ")
