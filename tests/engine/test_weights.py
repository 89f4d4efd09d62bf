"""Model files come back as they went; whatever is wrong with one is told in a line, and nothing else ever happens."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from engine import weights
from engine.errors import ModelError
from engine.network import NetworkSpec
from engine.weights import METADATA_KEY, Model
from tests.networks import random_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC = NetworkSpec(2, 1, 4, "adder")
MODEL = random_model(SPEC).with_about(licence="Apache-2.0", psnr={"Set5": 37.5})
DATA = weights.to_bytes(MODEL)


def same(one: Model, other: Model) -> bool:
    """Whether two models are equal to the last bit."""
    parts = [(one.tensors, other.tensors), (one.int8, other.int8)]
    equal = all(mine.keys() == theirs.keys() and all(np.array_equal(mine[k], theirs[k]) for k in mine) for mine, theirs in parts)
    return equal and (one.id, one.spec, one.about) == (other.id, other.spec, other.about)


@pytest.mark.parametrize("block", ["convolution", "adder"])
@pytest.mark.parametrize("activation", ["prelu", "relu"])
def test_there_and_back(block: Any, activation: Any, tmp_path: Path) -> None:
    model = random_model(NetworkSpec(3, 2, 8, block, activation)).with_about(title="Größe ×3", steps=12)
    weights.write(model, tmp_path / "m.safetensors")
    assert same(weights.read(tmp_path / "m.safetensors"), model)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "m.safetensors"]


def test_int8_tensors_there_and_back(tmp_path: Path) -> None:
    int8 = {"body.0.weight": np.arange(-3, 3, dtype=np.int8), "body.0.shift": np.array([7], np.int32)}
    model = Model(MODEL.id, SPEC, MODEL.tensors, int8)
    weights.write(model, tmp_path / "m.safetensors")
    back = weights.read(tmp_path / "m.safetensors")
    assert same(back, model)
    assert back.int8["body.0.weight"].dtype == np.int8
    assert (model.precisions, MODEL.precisions) == (("fp32", "int8"), ("fp32",))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    shuffled = Model(MODEL.id, SPEC, dict(reversed(MODEL.tensors.items())), {}, dict(reversed(MODEL.about.items())))
    assert weights.to_bytes(shuffled) == DATA
    (tmp_path / "m").write_bytes(DATA)
    weights.write(shuffled, tmp_path / "n")
    assert weights.digest(tmp_path / "m") == weights.digest(tmp_path / "n")
    weights.write(random_model(SPEC, seed=1), tmp_path / "n")
    assert weights.digest(tmp_path / "m") != weights.digest(tmp_path / "n")


def test_weights_that_are_views_are_stored_as_seen() -> None:
    turned = {name: np.ascontiguousarray(array.T).T for name, array in MODEL.tensors.items()}
    assert weights.to_bytes(Model(MODEL.id, SPEC, turned, {}, MODEL.about)) == DATA


def test_an_existing_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old" * 10_000)
    weights.write(MODEL, path)
    assert path.read_bytes() == DATA


def test_writing_where_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be stored"):
        weights.write(MODEL, tmp_path / "nowhere" / "m.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match="cannot be stored"):
        weights.write(MODEL, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def header(**changes: Any) -> dict[str, Any]:
    spec = {"scale": 2, "m": 1, "f": 4, "block": "adder", "activation": "prelu"}
    return {"format": 1, "id": "x", "spec": spec, "about": {}, **changes}


def packed(tensors: dict[str, Any] | None = None, metadata: dict[str, str] | None = None, **changes: Any) -> bytes:
    """A .safetensors file that may be wrong."""
    return save(dict(MODEL.tensors) if tensors is None else tensors, metadata or {METADATA_KEY: json.dumps(header(**changes))})


def with_tensor(name: str, array: Any) -> Callable[[], bytes]:
    return lambda: packed({**MODEL.tensors, name: array})


def with_header(text: bytes) -> Callable[[], bytes]:
    return lambda: struct.pack("<Q", len(text)) + text


def without(name: str) -> Callable[[], bytes]:
    return lambda: packed({key: array for key, array in MODEL.tensors.items() if key != name})


BIAS = np.zeros(4, np.float32)
FAULTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a .safetensors file"),
    "text": (lambda: b"hello, world, this is a text", "not a .safetensors file, or cut short"),
    "zip": (lambda: b"PK\x03\x04" + bytes(60), "not a .safetensors file"),
    "cut in the header": (lambda: DATA[:100], "cut short"),
    "cut in the weights": (lambda: DATA[:-1], "damaged"),
    "too long": (lambda: DATA + b"\0", "damaged"),
    "header is no JSON": (with_header(b"{"), "damaged"),
    "header is no UTF-8": (with_header(b'{"\xff": 1}'), "damaged"),
    "header is a list": (with_header(b"[]"), "damaged"),
    "header is deep": (with_header(b"[" * 100_000), "damaged"),
    "metadata is a number": (with_header(b'{"__metadata__": 3}'), "damaged"),
    "metadata is null": (with_header(b'{"__metadata__": null}'), "damaged"),
    "no metadata": (lambda: save(dict(MODEL.tensors)), "not one of AdderSESR's"),
    "another program's": (lambda: packed(metadata={"format": "pt"}), "not one of AdderSESR's"),
    "our metadata is no JSON": (lambda: packed(metadata={METADATA_KEY: "{"}), "damaged"),
    "our metadata is a list": (lambda: packed(metadata={METADATA_KEY: "[]"}), "damaged"),
    "a later format": (lambda: packed(format=2), "format 2 is unknown; this version reads format 1"),
    "no format": (lambda: packed(format=None), "format None is unknown"),
    "no spec": (lambda: packed(spec=None), "damaged"),
    "an empty spec": (lambda: packed(spec={}), "network is not understood"),
    "a spec with more": (lambda: packed(spec={**header()["spec"], "heads": 8}), "network is not understood"),
    "a huge network": (lambda: packed(spec={**header()["spec"], "m": 10**9}), "m must be a whole number"),
    "an unknown block": (lambda: packed(spec={**header()["spec"], "block": "transformer"}), "block must be one of"),
    "a block that is a list": (lambda: packed(spec={**header()["spec"], "block": []}), "block must be one of"),
    "an id that is a path": (lambda: packed(id="../../x"), "cannot be a model's id"),
    "an id that is a number": (lambda: packed(id=3), "cannot be a model's id"),
    "an id of two lines": (lambda: packed(id="a\nb"), "cannot be a model's id"),
    "an id without end": (lambda: packed(id="x" * 5000), "cannot be a model's id"),
    "about is a list": (lambda: packed(about=[]), "damaged"),
    "no tensors": (lambda: packed({}), r"lacks body\.0\.bias, body\.0\.multiplier"),
    "a tensor missing": (without("body.0.slope"), "lacks body.0.slope"),
    "a tensor too many": (with_tensor("body.1.bias", BIAS), "does not: body.1.bias"),
    "a wrong shape": (with_tensor("body.0.bias", BIAS[:3]), r"body\.0\.bias has shape \(3,\), its network needs \(4,\)"),
    "another network's": (lambda: packed(spec={**header()["spec"], "f": 5}), "its network needs"),
    "half precision": (with_tensor("body.0.bias", BIAS.astype(np.float16)), "float16, not float32"),
    "double precision": (with_tensor("body.0.bias", BIAS.astype(np.float64)), "float64, not float32"),
    "not a number": (with_tensor("body.0.bias", BIAS + np.float32("nan")), "not finite"),
    "infinite": (with_tensor("last.bias", BIAS - np.float32("inf")), "not finite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault: str, tmp_path: Path) -> None:
    data, says = FAULTS[fault]
    path = tmp_path / "model.safetensors"
    path.write_bytes(data())
    with pytest.raises(ModelError, match=says) as caught:
        weights.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_model_without_an_id_is_called_after_its_file(tmp_path: Path) -> None:
    content = header()
    del content["id"], content["about"]
    (tmp_path / "mine.safetensors").write_bytes(packed(metadata={METADATA_KEY: json.dumps(content)}))
    assert weights.read(tmp_path / "mine.safetensors").id == "mine"


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    import pickle  # noqa: PLC0415

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "m.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        weights.read(tmp_path / "m.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "m.safetensors").open("wb") as file:
        file.truncate(weights.MAX_FILE_BYTES + 1)
    with pytest.raises(ModelError, match="too large for a model file"):
        weights.read(tmp_path / "m.safetensors")


@pytest.mark.parametrize("name", ["nowhere", "loop"])
def test_what_cannot_be_opened(name: str, tmp_path: Path) -> None:
    with contextlib.suppress(OSError):
        (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ModelError, match="cannot be read"):
        weights.read(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", *map(type(tmp_path), ["/dev/zero", "/dev/full"])):
        with pytest.raises(ModelError, match="not a file"):
            weights.read(path)


def read_or_refuse(data: bytes) -> Model | None:
    """What becomes of any bytes: a sound model or a ModelError on one line."""
    try:
        model = weights.from_bytes(data, "m.safetensors")
    except ModelError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
    if message:
        return None
    assert {name: array.shape for name, array in model.tensors.items()} == model.spec.tensor_shapes()
    return model


@given(st.binary(max_size=400))
@example(struct.pack("<Q", 2) + b"{}")
@example(struct.pack("<Q", 2**63) + b"{}")
def test_any_bytes(data: bytes) -> None:
    assert read_or_refuse(data) is None


@settings(max_examples=300)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_one_byte_changed(place: int, change: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= change
    read_or_refuse(bytes(damaged))


@settings(max_examples=50)
@given(st.integers(0, len(DATA) - 1))
def test_cut_anywhere(end: int) -> None:
    assert read_or_refuse(DATA[:end]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["format", "id", "spec", "about"]), JSON)
def test_any_value_in_our_metadata(key: str, value: Any) -> None:
    read_or_refuse(packed(**{key: value}))


@given(st.sampled_from(["scale", "m", "f", "block", "activation"]), JSON)
def test_any_value_in_the_spec(key: str, value: Any) -> None:
    model = read_or_refuse(packed(spec={**header()["spec"], key: value}))
    assert model is None or model.spec == SPEC or key == "activation"
