"""Somebody else's ONNX networks: found out about, run in tiles as if whole, and refused with a reason where they must be."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from engine import colour, cost, foreign, images, tiles
from engine.backends import choose
from engine.catalogue import Catalogue
from engine.errors import BackendError, ModelError
from engine.evaluate import evaluate
from engine.export.files import to_bytes
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.resize import imresize
from engine.upscaler import Upscaler
from tests.foreign import model, network, nodes, saved, weights
from tests.networks import gentle_model

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "rgb": {},
    "deep": {"kernel": 5, "layers": 4},
    "luma": {"channels": 1, "scale": 4},
    "three": {"scale": 3},
    "fixed": {"scale": 4, "size": (40, 56)},
    "fixed-luma": {"channels": 1, "size": (33, 33)},
    "bytes": {"white": 255.0},
    "even": {"multiple": 2},
    "fours": {"channels": 1, "scale": 4, "multiple": 4},
    "last": {"channels_last": True, "name": "serving_default_x:0"},
}


def drawn(height: int, width: int, *, grey: bool = False) -> Picture:
    small = np.random.default_rng(3).random((6, 7, 3), np.float32)
    pixels = (np.clip(imresize(small, height, width) * 0.8 + 0.1, 0, 1) * 255).astype(np.uint8)
    return Picture(np.ascontiguousarray(pixels[..., 0]) if grey else pixels)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def loaded(kind: str, tmp_path: Path) -> foreign.ForeignModel:
    return foreign.read(saved(network(**KINDS[kind]), tmp_path / f"{kind}.onnx"))


def test_a_trial_run_finds_what_a_network_is(kind: str, loaded: foreign.ForeignModel) -> None:
    spec, given_ = loaded.spec, KINDS[kind]
    assert (spec.scale, spec.channels) == (given_.get("scale", 2), given_.get("channels", 3))
    assert spec.window == given_.get("size")
    assert spec.white == given_.get("white", 1.0)
    assert spec.multiple == given_.get("multiple", 1)
    assert spec.channels_last == (kind == "last")
    reach = given_.get("layers", 1) * (given_.get("kernel", 3) // 2)
    least = reach - 2 if kind == "deep" else reach  # what is furthest changes next to nothing there
    assert least <= spec.receptive_radius <= (reach if spec.multiple == 1 else 3 * spec.multiple - 1)
    assert loaded.id == kind


def test_tiles_join_to_what_the_untiled_network_gives(kind: str, loaded: foreign.ForeignModel) -> None:
    backend = choose.create(loaded)
    x = colour.to_unit(drawn(95, 130, grey=loaded.spec.channels == 1).pixels)
    tiled = tiles.run(backend, x, 32)
    assert tiled.shape == (95 * loaded.spec.scale, 130 * loaded.spec.scale, *x.shape[2:])
    if loaded.spec.window is None:
        np.testing.assert_allclose(tiled, backend.run(x), atol=1e-5)
    else:  # it cannot be run untiled: its free twin can
        twin = foreign.read(saved(network(**{**KINDS[kind], "size": None}), loaded.file.with_name("twin.onnx")))
        inside = (slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(tiled[inside], choose.create(twin).run(x)[inside], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (41, 3)])
def test_any_size_goes_through(loaded: foreign.ForeignModel, size: tuple[int, int]) -> None:
    x = colour.to_unit(drawn(*size, grey=True).pixels)
    upscaled = choose.create(loaded).run(x)
    assert upscaled.shape == (size[0] * loaded.spec.scale, size[1] * loaded.spec.scale)
    assert abs(float(upscaled.mean()) - float(x.mean())) < 0.1


def test_a_picture_comes_out_larger_with_its_colours(loaded: foreign.ForeignModel) -> None:
    upscaler = Upscaler(choose.create(loaded), 32)
    for grey in (False, True):
        before = drawn(60, 75, grey=grey)
        alpha = np.where(np.arange(75) < 30, 0, 255).astype(np.uint8) * np.ones((60, 1), np.uint8)
        after = upscaler.upscale(Picture(before.pixels, alpha))
        assert after.grey == grey
        assert (after.width, after.height) == (75 * loaded.spec.scale, 60 * loaded.spec.scale)
        opaque = np.s_[:, 40 * loaded.spec.scale :]
        shrunk = imresize(after.pixels[opaque].astype(np.float32), 60, 35)
        assert np.abs(shrunk - before.pixels[:, 40:]).mean() < 8
        assert after.alpha is not None
        assert (after.alpha[:, : 20 * loaded.spec.scale] == 0).all()
        assert (after.alpha[opaque] == 255).all()


def test_our_own_network_as_an_onnx_file_gives_the_same_pixels(tmp_path: Path) -> None:
    ours = gentle_model(NetworkSpec(2, 2, 8))
    (tmp_path / "ours.onnx").write_bytes(to_bytes(ours, "onnx"))
    theirs = foreign.read(tmp_path / "ours.onnx")
    assert theirs.spec.receptive_radius == ours.spec.receptive_radius, "declared in the file"
    before = drawn(70, 90)
    wanted = Upscaler(choose.create(ours, "onnx"), 40, checked=False).upscale(before)
    np.testing.assert_array_equal(Upscaler(choose.create(theirs), 40, checked=False).upscale(before).pixels, wanted.pixels)


def test_taking_a_network_in_keeps_its_bytes_and_spares_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = foreign.read(saved(network(white=255.0, multiple=1), tmp_path / "theirs.onnx")).with_about(title="Theirs")
    given_bytes = first.file.read_bytes()
    (tmp_path / "kept.onnx").write_bytes(to_bytes(first, "onnx"))
    onnx.checker.check_model(onnx.load(tmp_path / "kept.onnx"), full_check=True)
    monkeypatch.setattr(foreign, "_tried", lambda *_: pytest.fail("it was tried again"))
    kept = foreign.read(tmp_path / "kept.onnx")
    assert (kept.spec, kept.digest, kept.about) == (first.spec, first.digest, first.about)
    assert kept.graph() == given_bytes
    assert kept.digest == hashlib.sha256(given_bytes).hexdigest()
    assert to_bytes(kept, "onnx") == (tmp_path / "kept.onnx").read_bytes()


def test_a_file_that_was_changed_is_not_run(tmp_path: Path) -> None:
    first = foreign.read(saved(network(), tmp_path / "theirs.onnx"))
    data = to_bytes(first, "onnx")
    at = data.index(weights(3, 2).tobytes())
    (tmp_path / "kept.onnx").write_bytes(data[: at + 4] + b"\x00\x00\x00\x40" + data[at + 8 :])
    with pytest.raises(ModelError, match="digest"):
        choose.create(foreign.read(tmp_path / "kept.onnx"))


def test_the_catalogue_lists_it_and_names_what_cannot_be_used(tmp_path: Path) -> None:
    saved(network(), tmp_path / "theirs.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    catalogue = Catalogue([tmp_path])
    (entry,) = catalogue.entries()
    row = json.loads(json.dumps(entry.row()))
    assert (row["id"], row["scale"], row["m"], row["f"], row["block"], row["precision"]) == ("theirs", 2, None, None, "other", "fp32")
    assert "text.onnx" in catalogue.problems()[0].message


def test_the_catalogue_tries_a_file_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(network(), tmp_path / "theirs.onnx")
    catalogue, tried = Catalogue([tmp_path]), []
    read = foreign.read
    monkeypatch.setattr(foreign, "read", lambda path: tried.append(path) or read(path))
    assert [catalogue.models()[0].spec.scale for _ in range(3)] == [2, 2, 2]
    assert len(tried) == 1
    saved(network(scale=3), tmp_path / "theirs.onnx")
    assert catalogue.models()[0].spec.scale == 3
    assert len(tried) == 2


def test_other_back_ends_and_forms_are_refused(tmp_path: Path) -> None:
    theirs = foreign.read(saved(network(), tmp_path / "theirs.onnx"))
    with pytest.raises(BackendError, match="only the onnx back end"):
        choose.create(theirs, "native")
    with pytest.raises(BackendError, match="no int8 form"):
        choose.create(theirs, precision="int8")
    with pytest.raises(ModelError, match="copied as it is"):
        to_bytes(theirs, "tflite")


def test_cost_is_counted_in_the_graph_or_unknown(tmp_path: Path) -> None:
    spec = foreign.read(saved(network(kernel=5, layers=2), tmp_path / "counted.onnx")).spec
    known = cost.known_cost(spec, 100, 10)
    assert known is not None
    assert (known.macs, known.multiplies, known.additions) == ((3 * 3 * 25 + 12 * 3 * 25) * 1000,) * 3
    assert known.parameters == 3 * 3 * 25 + 12 * 3 * 25
    made, stored = nodes(3, 2)
    pairs = [helper.make_node("Einsum", ["picture", "mixed"], ["y"], equation="nchw,dc->ndhw"), *made]
    pairs[1].input[0] = "y"
    mixed = numpy_helper.from_array(np.eye(3, dtype=np.float32), "mixed")
    unknown = foreign.read(saved(model(pairs, [*stored, mixed]), tmp_path / "uncounted.onnx")).spec
    assert unknown.macs is None
    assert cost.known_cost(unknown, 100, 10) is None


def test_our_own_cost_is_what_counting_its_graph_gives(tmp_path: Path) -> None:
    spec = NetworkSpec(3, 2, 8, activation="relu")
    (tmp_path / "ours.onnx").write_bytes(to_bytes(gentle_model(spec), "onnx"))
    known = cost.known_cost(foreign.read(tmp_path / "ours.onnx").spec, 64, 48)
    assert known is not None
    assert known.macs == pytest.approx(cost.cost(spec, 64, 48).macs, rel=0.01), "the graph adds the picture by a convolution"


def test_a_network_that_looks_at_the_whole_picture_is_tiled_and_told_of(tmp_path: Path) -> None:
    made, stored = nodes(3, 2)
    gain = [
        helper.make_node("GlobalAveragePool", ["picture"], ["mean"]),
        helper.make_node("Sqrt", ["mean"], ["root"]),
        helper.make_node("Add", ["root", "rest"], ["gain"]),
        helper.make_node("Mul", ["picture", "gain"], ["y"]),
    ]
    rest = numpy_helper.from_array(np.float32(0.3), "rest")
    whole = foreign.read(saved(model([*gain, *_from_y(made)], [*stored, rest]), tmp_path / "whole.onnx"))
    assert whole.spec.receptive_radius == 64
    assert "looks at the whole picture" in whole.about["summary"]


def test_evaluation_scores_rgb_networks_on_luma(tmp_path: Path) -> None:
    images.write(drawn(64, 80), tmp_path / "one.png")
    theirs = foreign.read(saved(network(), tmp_path / "theirs.onnx"))
    result = evaluate(choose.create(theirs), tmp_path, theirs.id)
    assert result.scale == 2
    assert 25 < result.psnr < 60


def reshaped(*shape: int) -> onnx.ModelProto:
    """Weights that say that they have another shape."""
    proto = network()
    proto.graph.initializer[0].dims[:] = shape
    return proto


def with_values(values: np.ndarray) -> onnx.ModelProto:
    proto = network()
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(values.astype(np.float32), "w"))
    return proto


def external() -> onnx.ModelProto:
    proto = network()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return proto


def of_nodes(*made: onnx.NodeProto, stored: list[object] | None = None, **options: object) -> onnx.ModelProto:
    return model(list(made), stored or [], **options)


def looped() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    made, stored = nodes(3, 2)
    return model([helper.make_node("Loop", ["", "yes"], [], body=body), *made], stored)


def bomb() -> onnx.ModelProto:
    made, stored = nodes(3, 2)
    shape = numpy_helper.from_array(np.array([1, 3, 40_000, 40_000], np.int64), "shape")
    return model([helper.make_node("Expand", ["one", "shape"], ["huge"]), helper.make_node("ReduceMax", ["huge"], ["most"], keepdims=0),
                  helper.make_node("Mul", ["picture", "most"], ["y"]), *_from_y(made)],
                 [*stored, shape, numpy_helper.from_array(np.float32(1), "one")])  # fmt: skip


def _from_y(made: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    made[0].input[0] = "y"
    return made


def two_inputs() -> onnx.ModelProto:
    proto = network()
    proto.graph.input.append(helper.make_tensor_value_info("noise", TensorProto.FLOAT, [1]))
    return proto


def integer_input() -> onnx.ModelProto:
    proto = network()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return proto


EVIL = helper.make_opsetid("com.evil", 1)
REFUSED = {
    "not numbers": (lambda: with_values(np.where(weights(3, 2) > 0.5, np.nan, 0)), "not finite"),
    "infinite": (lambda: with_values(np.where(weights(3, 2) > 0.5, np.inf, 0)), "not finite"),
    "another shape": (lambda: reshaped(12, 5, 3, 3), "damaged|not a valid"),
    "absurd shape": (lambda: reshaped(1 << 40, 3, 3, 3), "too many"),
    "external": (external, "other files"),
    "custom operator": (
        lambda: of_nodes(helper.make_node("Magic", ["picture"], ["larger"], domain="com.evil"), opsets=[EVIL]),
        "com.evil.Magic, which is not an operator",
    ),
    "unknown operator": (lambda: of_nodes(helper.make_node("Magic", ["picture"], ["larger"])), "not a valid ONNX graph"),
    "loop": (looped, "loops or branches"),
    "chance": (lambda: of_nodes(helper.make_node("RandomNormalLike", ["picture"], ["larger"])), "random"),
    "huge graph": (lambda: of_nodes(*[helper.make_node("Relu", ["picture"], [f"x{i}"]) for i in range(20_001)]), "too large"),
    "memory bomb": (bomb, "too many"),
    "same size": (lambda: network(scale=1), "×2, ×3, ×4"),
    "too large a factor": (lambda: network(scale=8), "×2, ×3, ×4"),
    "four channels": (lambda: network(channels=4), "1 or 3 channels"),
    "two inputs": (two_inputs, "2 inputs"),
    "bytes": (integer_input, "only float32"),
    "a vector": (lambda: of_nodes(helper.make_node("Relu", ["picture"], ["larger"]), shape=[1, 3]), "not one picture"),
    "a batch": (lambda: of_nodes(helper.make_node("Relu", ["picture"], ["larger"]), shape=[8, 3, 16, 16]), "not one picture"),
    "no picture": (lambda: with_values(weights(3, 2) * 0), "does not give a picture back"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_must_not_be_run_is_refused_with_a_reason(tmp_path: Path, why: str) -> None:
    make, reason = REFUSED[why]
    path = saved(make(), tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=reason) as caught:
        foreign.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_a_network_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = network().SerializeToString()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "it.onnx"
    path.write_bytes(bytes(damaged))
    try:
        told = f"{path}: ×{foreign.read(path).spec.scale}"
    except ModelError as error:
        told = str(error)
    assert told.startswith(str(path))
    assert "\n" not in told


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_facts_that_are_not_understood_are_refused(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("facts") / "it.onnx"
    for value in (junk, b'{"format": 2}', b'{"format": 1, "id": "x", "spec": {"scale": 9}, "digest": "", "about": {}}'):
        pair = foreign._delimited(1, foreign.KEY) + foreign._delimited(2, value)
        path.write_bytes(network().SerializeToString() + foreign._delimited(foreign.METADATA_FIELD, pair))
        with pytest.raises(ModelError, match=r"understood|unknown"):
            foreign.read(path)
