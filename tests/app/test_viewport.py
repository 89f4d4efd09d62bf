import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addersesr_app.viewport import LARGEST_ZOOM, Viewport

SIZES = st.integers(1, 20_000)
VIEWS = st.floats(50, 4000)


def at(viewport, view_x, view_y):
    left, top = viewport.view_width / 2 - viewport.x * viewport.zoom, viewport.view_height / 2 - viewport.y * viewport.zoom
    return (view_x - left) / viewport.zoom, (view_y - top) / viewport.zoom


def test_fit_shows_the_whole_picture_and_never_magnifies():
    large = Viewport(4000, 1000, 1000, 1000).fit()
    assert large.zoom == 0.25
    assert large.visible() == (0, 0, 4000, 1000)
    assert large.origin == (0, 375)
    assert Viewport(100, 50, 1000, 1000).fit().zoom == 1


def test_what_was_fitted_stays_fitted_when_the_view_grows():
    assert Viewport(4000, 1000, 1000, 1000).fit().resized(2000, 1000).zoom == 0.5


@settings(max_examples=40)
@given(SIZES, SIZES, VIEWS, VIEWS, st.floats(0.01, 64), st.floats(0, 1), st.floats(0, 1))
def test_zooming_keeps_the_point_under_the_hand(width, height, view_width, view_height, zoom, u, v):
    before = Viewport(width, height, view_width, view_height).fit()
    after = before.zoomed(zoom, u * view_width, v * view_height)
    assert before.smallest_zoom <= after.zoom <= LARGEST_ZOOM
    x, y = at(before, u * view_width, v * view_height)
    left, top = u * view_width - x * after.zoom, v * view_height - y * after.zoom
    if left <= 0 and top <= 0 and left + width * after.zoom >= view_width and top + height * after.zoom >= view_height:
        assert at(after, u * view_width, v * view_height) == pytest.approx((x, y), abs=1e-6 * max(width, height))


@settings(max_examples=40)
@given(SIZES, SIZES, VIEWS, VIEWS, st.floats(0.01, 32), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_panning_never_loses_the_picture(width, height, view_width, view_height, zoom, dx, dy):
    viewport = Viewport(width, height, view_width, view_height).fit().zoomed(zoom).panned(dx, dy)
    left, top, right, bottom = viewport.visible()
    seen_x, seen_y = min(view_width, width * viewport.zoom), min(view_height, height * viewport.zoom)
    assert (right - left) * viewport.zoom == pytest.approx(seen_x, abs=2)
    assert (bottom - top) * viewport.zoom == pytest.approx(seen_y, abs=2)


def test_one_to_one_lies_on_whole_pixels():
    viewport = Viewport(1001, 777, 500.5, 333).fit().zoomed(1.0).panned(0.37, 0.2)
    assert all(value == int(value) for value in viewport.origin)


def test_another_scale_shows_the_same_place():
    before = Viewport(1000, 800, 400, 400).fit().zoomed(2).panned(-50, 30)
    after = before.rescaled(2000, 1600)
    assert after.zoom == before.zoom / 2
    assert after.visible() == pytest.approx(tuple(2 * value for value in before.visible()), abs=1)
