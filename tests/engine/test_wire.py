import json

import pytest

from engine import events
from engine.serve import protocol
from engine.serve.wire import ProtocolError, parse_event, parse_request

NETWORK = protocol.Network("sesr-m5-x2", threads=2)
PIXELS = protocol.Pixels("block", False, (protocol.Level(4, 3, 0), protocol.Level(2, 2, 48)))

REQUESTS = [
    protocol.Hello(1),
    protocol.Survey(12),
    protocol.Thumbnail(13, "a.png", 64),
    protocol.Open(2, "/tmp/ü.png"),
    protocol.Preview(3, "a.png", protocol.Region(1, 2, 3, 4), NETWORK, "lanczos", 2, True),
    protocol.Show(4, "a.png", NETWORK),
    protocol.Save(5, "a.png", NETWORK, protocol.Output(destination="b.png", quality=90)),
    protocol.Upscale(6, ("a", "b"), NETWORK, protocol.Output(existing="skip"), ("a",), "ledger"),
    protocol.Bench(7, NETWORK),
    protocol.Pause(8),
    protocol.Resume(9),
    protocol.Cancel(10),
    protocol.Release(11, "block"),
]
EVENTS = [
    protocol.Opened(1, "a.png", 4, 3, 8, "png", PIXELS),
    protocol.Previewed(1, "a.png", protocol.Region(0, 0, 2, 2), NETWORK, "bicubic", 1, True, 0.5, PIXELS, PIXELS, None),
    protocol.Surveyed(1, (protocol.BackendCard("onnx", True, "1.2", ("cpu",), ""),)),
    protocol.Thumbnailed(1, "a.png", 400, 300, PIXELS),
    protocol.Paused(1),
    protocol.CancelledRequest(1),
    protocol.Told(3, events.Progress("a.png", 1, None, "tile")),
    protocol.Told(3, events.Failed(None, "ModelError", "no such model")),
    protocol.Told(3, events.Failed("a.png", "PictureError", "cut short")),
    protocol.Told(3, events.Finished("a", "b", 1.0, "m", "onnx", "fp32", events.Energy(1.5))),
    protocol.Told(3, events.Summary(1, 0, 0)),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_every_request_survives_the_line(request_):
    assert parse_request(request_.to_json()) == request_


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_survives_the_line(event):
    assert parse_event(event.to_json()) == event


def test_a_whole_number_is_a_float_too():
    line = json.dumps(protocol.Benched(1, NETWORK, "onnx", "fp32", 8, 8, 2.0).to_dict()).replace("2.0", "2")
    assert parse_event(line) == protocol.Benched(1, NETWORK, "onnx", "fp32", 8, 8, 2.0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "nonsense",
        '{"request":"fly","id":1}',
        '{"request":"open","id":1}',
        '{"request":"open","id":"1","path":"a"}',
        '{"request":"open","id":true,"path":"a"}',
        '{"request":"open","id":1,"path":"a","colour":2}',
        '{"request":"preview","id":1,"path":"a","network":{"model":"m"},"region":{"x":-1,"y":0,"width":1,"height":1}}',
        '{"request":"save","id":1,"path":"a","network":{"model":"m"},"output":{"existing":"never"}}',
    ],
)
def test_what_is_no_request_is_refused(line):
    with pytest.raises(ProtocolError):
        parse_request(line)


@pytest.mark.parametrize("line", ["", '{"event":"flew","id":1}', '{"event":"paused"}', '{"event":"progress","id":1,"input":"a"}'])
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ProtocolError):
        parse_event(line)
