"""What the window is told of models."""

from dataclasses import replace

import pytest

import resources
from engine.catalogue import Catalogue
from engine.serve.cards import model_card
from engine.serve.protocol import Ready
from engine.serve.wire import parse_event


@pytest.fixture(scope="module")
def photo():
    return next(entry for entry in Catalogue([resources.MODELS]).entries() if entry.model.id == "sesr-m11-x2-photo")


def test_a_network_for_compressed_pictures_tells_how_it_does_on_such(photo):
    card = model_card(photo, "sesr-m11-x2")
    assert [figure.quality for figure in card.through_jpeg] == [30, 50, 70, 90]
    assert card.jpeg_set == "Set14"
    assert all(figure.own > figure.bicubic > 25 for figure in card.through_jpeg)
    assert card.through_jpeg[0].own == photo.model.about["jpeg"]["psnr"]["30"]["this"]
    assert parse_event(Ready(1, 2, (card,)).to_json()) == Ready(1, 2, (card,))


@pytest.mark.parametrize("about", [None, 3, {}, {"set": "Set14"}, {"plain": "a", "set": "b", "psnr": {"30": {"this": 1}}}])
def test_figures_of_another_shape_are_left_out(photo, about):
    odd = replace(photo, model=photo.model.with_about(jpeg=about))
    assert (model_card(odd).through_jpeg, model_card(odd).jpeg_set) == ((), "")
