"""ONNX Runtime's packages: none, the wrong one, two at once, and devices that fail. Everything says what is missing, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from engine import images, jobs
from engine.backends import choose, onnx, runtimes
from engine.backends.onnx import OnnxBackend
from engine.catalogue import Catalogue
from engine.errors import BackendError, DeviceError
from engine.events import Finished, Warned
from engine.jobs import Job, Settings, Tools
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.serve.protocol import Network
from engine.serve.runners import Runners
from tests.commands import photo, store_model
from tests.conftest import ROOT
from tests.networks import random_model

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

WITHOUT = "import sys; sys.modules['onnxruntime'] = None; from addersesr_app.__main__ import main; sys.exit(main())"
SAMPLE = ROOT / "resources" / "sample.png"
NEEDS_HALIDE = pytest.mark.skipif(find_spec("halide") is None, reason="halide is not installed: without ONNX Runtime nothing is left")


def without_runtime(*arguments: str) -> tuple[int, str]:
    """What the command line gives where ONNX Runtime is not installed: its exit status and what it printed."""
    run = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr
    return run.returncode, run.stdout + run.stderr


class TestWithoutIt:
    @NEEDS_HALIDE
    def test_a_picture_is_upscaled(self, tmp_path: Path) -> None:
        status, said = without_runtime("upscale", str(SAMPLE), "-o", str(tmp_path / "out.png"), "--model", "sesr-m5-x2", "--json")
        assert status == 0, said
        [finished] = [event for event in map(json.loads, said.splitlines()) if event["event"] == "finished"]
        assert finished["backend"] == "native"
        with images.reading(SAMPLE) as before, images.reading(tmp_path / "out.png") as after:
            assert after.layout.width == 2 * before.layout.width

    def test_what_needs_it_says_how_to_get_it(self, tmp_path: Path) -> None:
        status, said = without_runtime(
            "upscale", str(SAMPLE), "-o", str(tmp_path / "out.png"), "--model", "sesr-m5-x2", "--backend", "onnx"
        )
        assert status != 0
        assert "the onnx back end is not available" in said
        assert "pip install '.[cpu]'" in said
        assert not (tmp_path / "out.png").exists()

    def test_somebody_elses_network_says_how_to_get_it(self, tmp_path: Path) -> None:
        (tmp_path / "theirs.onnx").write_bytes(b"\x08\x08")
        status, said = without_runtime("upscale", str(SAMPLE), "--model", str(tmp_path / "theirs.onnx"))
        assert status != 0
        assert "ONNX files need ONNX Runtime; install it with: pip install '.[cpu]'" in said

    def test_the_doctor_says_so(self) -> None:
        status, said = without_runtime("doctor")
        assert status == 0
        assert "onnx: not available (" in said
        assert "docs/back-ends.md" in said


def package(folder: Path, name: str, number: str) -> None:
    """Let a package look installed to Python."""
    info = folder / f"{name.replace('-', '_')}-{number}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")


def test_two_packages_are_said_to_exclude_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "onnxruntime", "1.31.1")
    package(tmp_path, "onnxruntime-gpu", "1.31.1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert runtimes.installed() == {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
    [found] = [info for info in choose.found() if info.name == "onnx"]
    assert found.note.startswith("onnxruntime and onnxruntime-gpu are installed over one another")
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.note


def test_one_package_is_in_order() -> None:
    if len(runtimes.installed()) == 1:
        [found] = [info for info in choose.found() if info.name == "onnx"]
        assert not found.note
        assert "onnxruntime" in (found.version or "")


def test_each_extra_is_one_package_and_each_is_pinned() -> None:
    project, pins, makefile = ((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "packaging/constraints.txt", "Makefile"))
    for extra, name in runtimes.FLAVOURS.items():
        assert f'\n{extra} = ["{name}' in project
        assert f"\n{name}==" in pins
        assert f" {name}" in makefile
    base = project[project.index("\ndependencies = [") : project.index("[project.optional-dependencies]")]
    assert "onnxruntime" not in base


@pytest.mark.parametrize(
    ("device", "options"),
    [
        ("openvino", {}),
        ("openvino:gpu", {"device_type": "GPU"}),
        ("cuda", {"use_tf32": "0"}),
        ("cuda:1", {"device_id": "1", "use_tf32": "0"}),
    ],
)
def test_what_a_provider_is_told(device: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "devices", lambda: tuple(onnx.PROVIDERS))
    assert onnx.providers(device) == [(onnx.PROVIDERS[device.partition(":")[0]], options), onnx.CPU]


@pytest.mark.parametrize("device", ["openvino:tpu", "cuda:x", "webgpu:1"])
def test_part_of_a_device_that_does_not_exist(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "devices", lambda: tuple(onnx.PROVIDERS))
    with pytest.raises(BackendError, match="no device"):
        onnx.providers(device)


def test_a_device_of_another_package_names_its_extra() -> None:
    if "cuda" in onnx.devices():
        pytest.skip("this package has CUDA")
    with pytest.raises(BackendError, match=r"it has cpu.*another of its packages has it: pip install '\.\[cuda\]'"):
        OnnxBackend(random_model(NetworkSpec(2, 1, 4)), device="cuda")


@pytest.mark.filterwarnings("ignore:Specified provider")
class TestADeviceThatFails:
    """The runtime replaces a provider that cannot start by the CPU without a word; here CUDA, which the plain package lacks."""

    @pytest.fixture(autouse=True)
    def said_to_have_cuda(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if "cuda" in onnx.devices():
            pytest.skip("this package has CUDA, which may work")
        monkeypatch.setattr(onnx, "devices", lambda: ("cpu", "cuda"))

    def test_is_an_error_and_not_silence(self) -> None:
        with pytest.raises(DeviceError, match=r"ONNX Runtime cannot use cuda: .*docs/back-ends\.md"):
            OnnxBackend(random_model(NetworkSpec(2, 1, 4)), device="cuda")

    @pytest.mark.parametrize("backend", ["auto", "onnx"])
    def test_the_cpu_goes_on_and_that_is_said(self, backend: str) -> None:
        told: list[str] = []
        made = choose.create(random_model(NetworkSpec(2, 1, 4)), backend, "cuda", told=told.append)
        assert made.device == "cpu"
        assert backend in ("auto", made.name)
        [said] = told
        assert said.startswith("ONNX Runtime cannot use cuda")
        assert said.endswith(f"{made.name} on the CPU is used")

    def test_in_a_job(self, tmp_path: Path) -> None:
        images.write(Picture(photo(40, 30)), tmp_path / "photo.png")
        model = store_model(tmp_path / "small.safetensors")
        settings = Settings(model=str(model), device="cuda", destination=tmp_path / "out.png")
        found = list(jobs.run(Job((tmp_path / "photo.png",), settings), Tools(Catalogue([]))))
        [warned] = [event for event in found if isinstance(event, Warned)]
        assert "cannot use cuda" in warned.message
        assert any(isinstance(event, Finished) for event in found)
        assert (tmp_path / "out.png").exists()

    def test_in_the_windows_server(self, tmp_path: Path) -> None:
        network = Network(str(store_model(tmp_path / "small.safetensors")), device="cuda")
        runners = Runners(Catalogue([]), None, 64)
        assert runners.upscaler(network).backend.device == "cpu"
        [said] = runners.untold(network)
        assert "cannot use cuda" in said
        assert runners.untold(network) == ()


class Failing(OnnxBackend):
    """A back end whose device fails at the first picture."""

    device = "cuda:0"

    def __init__(self, *arguments: object, **options: object) -> None:
        wanted = options.pop("device")
        super().__init__(*arguments, device="cpu", **options)  # type: ignore[arg-type]
        self.device = "cpu" if wanted == "cpu" else "cuda:0"

    def run(self, y_hw: np.ndarray) -> np.ndarray:
        if self.device != "cpu":
            raise BackendError("out of memory")
        return super().run(y_hw)


@pytest.mark.parametrize("backend", ["auto", "onnx"])
def test_a_device_that_fails_while_it_runs(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "KINDS", (choose.Kind("onnx", "tests.engine.test_runtimes", "Failing", "numpy", ""),))
    images.write(Picture(photo(40, 30)), tmp_path / "photo.png")
    model = store_model(tmp_path / "small.safetensors")
    settings = Settings(model=str(model), backend=backend, device="cuda:0", destination=tmp_path / "out.png")
    found = list(jobs.run(Job((tmp_path / "photo.png",), settings), Tools(Catalogue([]))))
    [warned] = [event for event in found if isinstance(event, Warned)]
    assert warned.message == "onnx on cuda:0 failed (out of memory): going on with onnx on the CPU"
    assert any(isinstance(event, Finished) for event in found)
