"""What somebody else's network takes: counted where its graph tells, else said to be unknown."""

import pytest

from addersesr_app.theme import Theme
from addersesr_app.views.energy_panel import EnergyPanel
from engine.network import ForeignSpec


@pytest.mark.parametrize(("macs", "shown"), [(1000, "230 M"), (None, "unknown")])
def test_the_panel_says_what_is_known(qapp, qtbot, macs, shown):
    panel = EnergyPanel(Theme(qapp, "light"))
    qtbot.addWidget(panel)
    panel.show_network("theirs", ForeignSpec(4, 3, 10, 12_345, 64, macs=macs), "fp32")
    panel.show_size(640, 360)
    panel.show_time(1.5, taken=True)
    assert panel.cells["macs", "this"].text() == shown
    assert (panel.cells["energy", "this"].text() == "unknown") == (macs is None)
    assert panel.cells["time", "this"].text() != "–"
    assert (panel.cells["time", "vdsr"].text() == "–") == (macs is None), "others' times follow from the count"
    assert panel.cells["macs", "vdsr"].text() != "unknown"
