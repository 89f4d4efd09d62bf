from __future__ import annotations

import numpy as np
import pytest
from av.video.reformatter import ColorRange

from engine.video_planes import frame_of, from_unit, planar_equivalent, planes_of, sampling, to_unit, upscale_chroma
from tests.clips import frame

FORMS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [(16, 8), (17, 9), (1, 1)])
def test_frames_become_planes_and_frames_again(form, size):
    kind = sampling(form)
    made = frame(*size, form, 3)
    planes = planes_of(made, kind)
    again = planes_of(frame_of(planes, kind), kind)
    assert planes.same(again)
    assert planes.luma.shape == size[::-1]
    assert len(planes.chroma) == (0 if form.startswith("gray") else 2)


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le", "yuv444p12le"])
@pytest.mark.parametrize("span", [ColorRange.MPEG, ColorRange.JPEG])
def test_every_luma_code_survives_the_way_to_the_network_and_back(form, span):
    kind = sampling(form)
    codes = np.arange(kind.top + 1, dtype=kind.dtype)[None]
    np.testing.assert_array_equal(from_unit(to_unit(codes, kind, span), kind, span), codes)


def test_black_and_white_mean_the_same_in_both_ranges():
    kind = sampling("yuv420p")
    studio = to_unit(np.array([[16, 235]], np.uint8), kind, ColorRange.MPEG)
    full = to_unit(np.array([[0, 255]], np.uint8), kind, ColorRange.JPEG)
    np.testing.assert_allclose(full, studio, atol=1e-6)


@pytest.mark.parametrize(("form", "equivalent"), [
    ("nv12", "yuv420p"), ("p010le", "yuv420p10le"), ("rgb24", "yuv444p"), ("yuvj422p", "yuv422p"), ("gbrp10le", "yuv444p10le"),
    ("yuva420p", "yuv420p"), ("pal8", "yuv444p"), ("yuyv422", "yuv422p"),
])  # fmt: skip
def test_other_formats_become_the_planar_one_that_holds_them(form, equivalent):
    assert planar_equivalent(form) == equivalent


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_chroma_stays_where_it_lies(form, scale):
    """A ramp over luma positions is the same ramp after upscaling: no shift against luma."""
    kind = sampling(form)
    width, height = 32, 24
    wide, tall = kind.chroma_size(width, height)
    x = np.arange(wide) * kind.across + (0.5 if kind.across == 2 else 0.5 * kind.across)
    y = np.arange(tall) * kind.down + 0.5 * kind.down
    plane = np.round(100 + 8 * x[None] + 8 * y[:, None]).astype(np.uint16)
    out = upscale_chroma(plane, kind, scale, width * scale, height * scale)
    assert out.shape == kind.chroma_size(width * scale, height * scale)[::-1]
    x_out = (np.arange(out.shape[1]) * kind.across + (0.5 if kind.across == 2 else 0.5 * kind.across)) / scale
    y_out = (np.arange(out.shape[0]) * kind.down + 0.5 * kind.down) / scale
    inside = np.s_[3 * scale : -3 * scale, 3 * scale : -3 * scale]
    np.testing.assert_allclose(out[inside], (100 + 8 * x_out[None] + 8 * y_out[:, None])[inside], atol=1.01)
