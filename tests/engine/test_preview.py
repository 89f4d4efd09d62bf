import numpy as np
import pytest

from engine.backends import choose
from engine.network import NetworkSpec
from engine.picture import Picture
from engine.resize import imresize
from engine.serve import preview
from engine.serve.protocol import Region
from engine.upscaler import Upscaler
from tests.windows import mild


@pytest.mark.parametrize("spec", [NetworkSpec(2, 2, 8), NetworkSpec(3, 1, 4)], ids=str)
@pytest.mark.parametrize("alpha", [False, True])
def test_a_region_is_what_the_whole_shows_there(rng, random_model, spec, alpha):
    pixels = np.kron(rng.integers(0, 256, (40, 60, 3), np.uint8), np.ones((7, 7, 1), np.uint8))
    mask = np.kron(rng.integers(0, 2, (40, 60), np.uint8) * np.uint8(255), np.ones((7, 7), np.uint8)) if alpha else None
    picture = Picture(pixels, mask)
    upscaler = Upscaler(choose.create(mild(random_model(spec), "mild"), "onnx"), tile=96)
    whole = upscaler.upscale(picture)
    for _ in range(12):
        x, y = int(rng.integers(0, picture.width)), int(rng.integers(0, picture.height))
        region = Region(x, y, int(rng.integers(1, picture.width - x + 1)), int(rng.integers(1, picture.height - y + 1)))
        part = preview.upscale_region(upscaler, picture, region, lambda: False)
        expected = preview.crop(whole, region, spec.scale)
        tolerance = 1 if alpha else 0  # colour is carried into transparent pixels by running sums, which begin elsewhere
        np.testing.assert_allclose(part.pixels.astype(int), expected.pixels, atol=tolerance)
        if alpha:
            np.testing.assert_array_equal(part.alpha, expected.alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_side_is_imresize(rng, dtype, scale):
    most = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    pixels = np.kron(rng.integers(0, 2, (9, 11, 3)) * most, np.ones((5, 5, 1))).astype(dtype)
    region = Region(7, 3, 31, 40)
    part = preview.enlarge_region(Picture(pixels), region, scale, "bicubic")
    whole = imresize(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale)
    expected = whole[scale * 3 : scale * 43, scale * 7 : scale * 38]
    if dtype == np.float32:
        np.testing.assert_allclose(part.pixels, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(part.pixels, expected)


def test_a_region_outside_is_refused():
    with pytest.raises(ValueError, match="12 x 10"):
        preview.margins((10, 10), Region(4, 0, 8, 10), 3)
