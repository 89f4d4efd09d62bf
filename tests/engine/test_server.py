import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from multiprocessing import shared_memory
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine import images, weights
from engine.backends import choose
from engine.events import Failed, Finished, Progress, Summary
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.serve import protocol, wire
from engine.upscaler import Upscaler
from tests.windows import mild

ROOT = Path(__file__).parent.parent.parent
TINY = protocol.Network("tiny-x2", backend="onnx")
OTHER = protocol.Network("other-x3", backend="onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, random_model):
    folder = tmp_path_factory.mktemp("models")
    for identity, spec in (("tiny-x2", NetworkSpec(2, 2, 8)), ("other-x3", NetworkSpec(3, 1, 4)), ("slow-x2", NetworkSpec(2, 11, 32))):
        weights.write(mild(random_model(spec), identity), folder / f"{identity}.safetensors")
    return folder


class Talk:
    """A server process and a conversation with it."""

    def __init__(self, folder):
        code = "import sys; from pathlib import Path; from engine.serve.server import serve; sys.exit(serve([Path(sys.argv[1])]))"
        command = [sys.executable, "-W", "error", "-c", code, str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)

    def say(self, request):
        self.process.stdin.write(request.to_json().encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline().decode()
        assert line, self.process.stderr.read().decode()
        return wire.parse_event(line)

    def until(self, identity, kind):
        """The first event of this kind for this request, and all that came before it."""
        before = []
        while True:
            event = self.hear()
            told = event.event if isinstance(event, protocol.Told) else event
            if event.id == identity and isinstance(told, kind):
                return told, before
            before.append(event)

    def pixels(self, pixels):
        memory = shared_memory.SharedMemory(pixels.name)
        try:
            levels = []
            for level in pixels.levels:
                shape = (level.height, level.width, 4)
                levels.append(np.ndarray(shape, np.uint8, memory.buf, level.offset).copy())
        finally:
            memory.close()
        self.say(protocol.Release(0, pixels.name))
        return levels

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        errors = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return errors


@contextmanager
def talking(folder):
    talk = Talk(folder)
    try:
        yield talk
    finally:
        if talk.process.poll() is None:
            talk.process.kill()
            talk.process.wait()
        for stream in (talk.process.stdin, talk.process.stdout, talk.process.stderr):
            stream.close()


@pytest.fixture(scope="module")
def talk(folder):
    with talking(folder) as talk:
        yield talk


@pytest.fixture
def own_talk(folder):
    """A server of the test's own, to be ended as it likes."""
    with talking(folder) as talk:
        yield talk


@pytest.fixture
def photo(tmp_path, rng):
    path = tmp_path / "phöto.png"
    small = rng.integers(0, 256, (9, 12, 3), np.uint8)
    images.write(Picture(np.kron(small, np.ones((10, 10, 1), np.uint8))), path)
    return path


def whole(folder, path, network):
    model = weights.read(folder / f"{network.model}.safetensors")
    return Upscaler(choose.create(model, "onnx")).upscale(images.read(path))


def test_hello_lists_the_models(talk):
    talk.say(protocol.Hello(1))
    ready = talk.hear()
    assert ready.pid == talk.process.pid
    assert [(card.id, card.scale, card.m, card.f) for card in ready.models] == [
        ("other-x3", 3, 1, 4),
        ("slow-x2", 2, 11, 32),
        ("tiny-x2", 2, 2, 8),
    ]


def test_an_opened_picture_is_there_in_halves(talk, tmp_path, rng):
    pixels = rng.integers(0, 256, (301, 523, 3), np.uint8)
    images.write(Picture(pixels), tmp_path / "a.png")
    talk.say(protocol.Open(1, str(tmp_path / "a.png")))
    opened = talk.hear()
    levels = talk.pixels(opened.pixels)
    assert (opened.width, opened.height, opened.bits, opened.format) == (523, 301, 8, "png")
    assert [level.shape[:2] for level in levels] == [(301, 523), (151, 262), (76, 131)]
    np.testing.assert_array_equal(levels[0][..., 2::-1], pixels)
    assert levels[1].mean() == pytest.approx(levels[0].mean(), abs=1)


def test_alpha_is_multiplied_in(talk, tmp_path, rng):
    pixels, alpha = rng.integers(0, 256, (5, 7, 3), np.uint8), rng.integers(0, 256, (5, 7), np.uint8)
    images.write(Picture(pixels, alpha), tmp_path / "a.png")
    talk.say(protocol.Open(1, str(tmp_path / "a.png")))
    opened = talk.hear()
    (level,) = talk.pixels(opened.pixels)
    assert opened.pixels.alpha
    np.testing.assert_array_equal(level[..., 3], alpha)
    np.testing.assert_allclose(level[..., 2::-1], pixels * (alpha[..., None] / 255.0), atol=0.51)


@pytest.mark.parametrize("network", [TINY, OTHER], ids=lambda network: network.model)
def test_what_is_shown_and_saved_is_what_the_upscaler_gives(talk, folder, photo, network):
    expected = whole(folder, photo, network).pixels
    talk.say(protocol.Show(1, str(photo), network))
    shown, before = talk.until(1, protocol.Shown)
    assert [event.event for event in before] == [Progress(str(photo), 1, 1, "tile")]
    np.testing.assert_array_equal(talk.pixels(shown.pixels)[0][..., 2::-1], expected)
    talk.say(protocol.Save(2, str(photo), network, protocol.Output()))
    saved, before = talk.until(2, protocol.Saved)
    assert saved.output == str(photo.with_name(f"phöto_x{network.model[-1]}.png"))
    assert not before, "the result at hand was made again"
    np.testing.assert_array_equal(images.read(Path(saved.output)).pixels, expected)


def test_previews_are_the_pixels_of_the_whole(talk, folder, photo, rng):
    for network in (TINY, OTHER):
        scale, expected = int(network.model[-1]), whole(folder, photo, network).pixels
        for identity in range(5):
            x, y = int(rng.integers(0, 100)), int(rng.integers(0, 70))
            region = protocol.Region(x, y, int(rng.integers(1, 120 - x)), int(rng.integers(1, 90 - y)))
            talk.say(protocol.Preview(identity, str(photo), region, network))
            previewed = talk.hear()
            assert previewed.exact
            rows = slice(scale * y, scale * (y + region.height))
            columns = slice(scale * x, scale * (x + region.width))
            np.testing.assert_array_equal(talk.pixels(previewed.right)[0][..., 2::-1], expected[rows, columns])
            assert talk.pixels(previewed.left)[0].shape[:2] == (scale * region.height, scale * region.width)


def test_the_left_side_is_what_was_asked_for(talk, photo):
    region, seen = protocol.Region(10, 10, 40, 30), {}
    for identity, left in enumerate(("nearest", "bicubic", "lanczos", "other-x3", "tiny-x2")):
        talk.say(protocol.Preview(identity, str(photo), region, TINY, left, heat=True))
        previewed = talk.hear()
        seen[left] = talk.pixels(previewed.left)[0]
        right, heat = talk.pixels(previewed.right)[0], talk.pixels(previewed.heat)[0]
        assert heat.shape == right.shape
    np.testing.assert_array_equal(seen["tiny-x2"], right)
    assert not heat[..., :3].max() > 16, "no difference is dark"
    np.testing.assert_array_equal(seen["nearest"][::2, ::2], seen["nearest"][1::2, 1::2])
    assert len({side.tobytes() for side in seen.values()}) == 5


def test_a_reduced_preview_is_near_and_an_exact_one_is_exact(talk, folder, photo):
    region = protocol.Region(0, 0, 120, 90)
    for identity, exact in enumerate((False, True)):
        talk.say(protocol.Preview(identity, str(photo), region, TINY, reduce=2, exact=exact))
        previewed = talk.hear()
        right = talk.pixels(previewed.right)[0]
        assert (previewed.exact, right.shape[:2]) == (exact, (90, 120))
    expected = cv2.resize(whole(folder, photo, TINY).pixels, (120, 90), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(right[..., 2::-1], expected)


def test_the_newest_preview_replaces_older_ones(talk, photo):
    slow = protocol.Network("slow-x2", backend="onnx")
    for identity in range(1, 30):
        talk.say(protocol.Preview(identity, str(photo), protocol.Region(0, 0, 120, 90), slow))
    ends = [talk.hear() for _ in range(29)]
    assert isinstance(ends[-1], protocol.Previewed)
    assert ends[-1].id == 29
    assert sum(isinstance(end, protocol.CancelledRequest) for end in ends) > 20


def test_a_cancel_ends_within_a_tile_and_leaves_nothing(talk, tmp_path):
    path = tmp_path / "large.png"
    images.write(Picture(np.zeros((800, 800, 3), np.uint8)), path)
    talk.say(protocol.Upscale(1, (str(path),), protocol.Network("slow-x2", backend="onnx"), protocol.Output()))
    talk.say(protocol.Show(2, str(path), protocol.Network("slow-x2", backend="onnx")))
    _, _ = talk.until(2, Progress)
    talk.say(protocol.Cancel(2))
    talk.say(protocol.Cancel(1))
    ended = set()
    while ended != {1, 2}:
        event = talk.hear()
        ended |= {event.id} if isinstance(event, protocol.CancelledRequest) else set()
    assert [entry.name for entry in tmp_path.iterdir()] == ["large.png"]


def test_a_job_is_paused_and_resumed(talk, tmp_path):
    for number in range(3):
        images.write(Picture(np.full((64, 64, 3), 40 * number, np.uint8)), tmp_path / f"{number}.png")
    talk.say(protocol.Upscale(1, tuple(str(tmp_path / f"{number}.png") for number in range(3)), TINY, protocol.Output()))
    talk.say(protocol.Pause(1))
    talk.until(1, protocol.Paused)
    talk.say(protocol.Hello(2))
    talk.until(2, protocol.Ready)
    talk.say(protocol.Resume(1))
    talk.until(1, protocol.Resumed)
    summary, _ = talk.until(1, Summary)
    assert (summary.done, summary.failed) == (3, 0)


def test_a_job_tells_of_every_file(talk, photo, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"nonsense" * 9)
    talk.say(
        protocol.Upscale(1, (str(photo), str(tmp_path / "bad.png")), TINY, protocol.Output(destination=str(tmp_path), extension=".webp"))
    )
    summary, before = talk.until(1, Summary)
    told = [event.event for event in before]
    assert (summary.done, summary.failed, summary.skipped) == (1, 1, 0)
    (finished,) = [event for event in told if isinstance(event, Finished)]
    assert finished.output == str(tmp_path / "phöto_x2.webp")
    assert [event.input for event in told if isinstance(event, Failed)] == [str(tmp_path / "bad.png")]


def test_a_network_is_timed(talk):
    talk.say(protocol.Bench(1, TINY, 64, 48))
    benched = talk.hear()
    assert (benched.backend, benched.precision, benched.width, benched.height) == ("onnx", "fp32", 64, 48)
    assert 0 < benched.seconds < 60


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (protocol.Open(1, "/nowhere/a.png"), "PictureError"),
        (protocol.Show(1, __file__, TINY), "PictureError"),
        (protocol.Bench(1, protocol.Network("tiny-x9")), "ModelError"),
        (protocol.Bench(1, protocol.Network("tiny-x2", backend="abacus")), "BackendError"),
        (protocol.Upscale(1, ("a.png",), TINY, protocol.Output(template="{nonsense}")), "UsageError"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_cannot_be_done_is_said_and_life_goes_on(talk, request_, error):
    talk.say(request_)
    failed, _ = talk.until(1, Failed)
    assert (failed.input, failed.error) == (None, error)
    talk.say(protocol.Hello(2))
    talk.until(2, protocol.Ready)


def test_nonsense_is_answered_and_life_goes_on(talk):
    talk.process.stdin.write(b"\xff\xfe\n{}\n" + json.dumps({"request": "fly", "id": 3}).encode() + b"\n")
    talk.say(protocol.Hello(2))
    assert [talk.hear().event.error for _ in range(3)] == ["ProtocolError"] * 3
    assert isinstance(talk.hear(), protocol.Ready)


def test_it_ends_with_its_requests_in_the_middle_of_work(own_talk, tmp_path):
    images.write(Picture(np.zeros((1200, 1200, 3), np.uint8)), tmp_path / "large.png")
    own_talk.say(protocol.Open(1, str(tmp_path / "large.png")))
    opened = own_talk.hear()
    own_talk.say(protocol.Show(2, str(tmp_path / "large.png"), protocol.Network("slow-x2", backend="onnx")))
    own_talk.until(2, Progress)
    assert own_talk.close() == "", "something was written to standard error"
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(opened.pixels.name)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_its_memory_goes_with_it_when_it_is_killed(own_talk, photo):
    own_talk.say(protocol.Open(1, str(photo)))
    opened = own_talk.hear()
    os.kill(own_talk.process.pid, signal.SIGKILL)
    own_talk.process.wait(10)
    own_talk.process.stderr.read()  # ends when the last process that holds it, multiprocessing's tracker, has cleaned up
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(opened.pixels.name)
