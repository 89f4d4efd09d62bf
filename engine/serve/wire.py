"""Lines of JSON into the protocol's records, checked: names, types and ranges."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, ClassVar, Literal

from engine import events
from engine.errors import AdderSESRError
from engine.serve.protocol import (
    Bench,
    Benched,
    Cancel,
    CancelledRequest,
    Hello,
    Open,
    Opened,
    Pause,
    Paused,
    Plan,
    Preview,
    Previewed,
    Ready,
    Release,
    Request,
    Resume,
    Resumed,
    Save,
    Saved,
    Scan,
    Scanned,
    Show,
    Shown,
    Spent,
    Survey,
    Surveyed,
    Thumbnail,
    Thumbnailed,
    Told,
    Upscale,
)


class ProtocolError(AdderSESRError):
    """A line is not what the protocol allows."""


REQUESTS: tuple[type[Request], ...] = (
    Hello,
    Survey,
    Open,
    Scan,
    Thumbnail,
    Preview,
    Show,
    Save,
    Upscale,
    Plan,
    Bench,
    Pause,
    Resume,
    Cancel,
    Release,
)
ANSWERS: tuple[type[events.Event], ...] = (
    Ready, Surveyed, Opened, Scanned, Thumbnailed, Previewed, Shown, Saved, Benched, Paused, Resumed, CancelledRequest,
)  # fmt: skip
JOB_EVENTS: tuple[type[events.Event], ...] = (
    events.Planned, events.Started, events.Progress, events.Finished, events.Skipped, events.Warned, events.Failed, events.Summary,
    Spent,
)  # fmt: skip


def parse_request(line: str) -> Request:
    """A request from its line. Raises ProtocolError."""
    record = _record(line)
    kind = next((kind for kind in REQUESTS if kind.name == record.get("request")), None)
    if kind is None:
        raise ProtocolError(f"unknown request {record.get('request')!r}")
    del record["request"]
    request: Request = _build(kind, record)
    return request


def parse_event(line: str) -> events.Event:
    """An event from its line; a job's event comes as `Told`. Raises ProtocolError."""
    record = _record(line)
    wire_name = record.pop("event", None)
    for kind in ANSWERS:
        if kind.name == wire_name:
            answer: events.Event = _build(kind, record)
            return answer
    for kind in JOB_EVENTS:
        if kind.name == wire_name:
            identity = record.pop("id", None)
            record.setdefault("input", None) if kind is events.Failed else None
            return Told(_build(int, identity), _build(kind, record))
    raise ProtocolError(f"unknown event {wire_name!r}")


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {line[:80]!r} ({error})") from error
    if not isinstance(record, dict):
        raise ProtocolError(f"not a JSON object: {line[:80]!r}")
    return record


def _hints(kind: Any) -> dict[str, Any]:
    return {name: hint for name, hint in typing.get_type_hints(kind).items() if typing.get_origin(hint) is not ClassVar}


def _build(kind: Any, value: Any) -> Any:
    """``value`` (plain JSON) as ``kind``: a dataclass, tuple, union, literal or plain type. Raises ProtocolError."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _build_dataclass(typing.cast("type[Any]", kind), value)
    if origin is tuple and isinstance(value, list):
        return _build_tuple(typing.get_args(kind), value)
    if origin in (types.UnionType, typing.Union):
        chosen = [option for option in typing.get_args(kind) if (option is type(None)) == (value is None)]
        return _build(chosen[0], value) if chosen else None
    return _build_plain(kind, origin, value)


def _build_plain(kind: Any, origin: Any, value: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is kind or (origin is Literal and value in typing.get_args(kind)):
        return value
    raise ProtocolError(f"{value!r} is not {kind}")


def _build_dataclass(kind: type[Any], value: dict[str, Any]) -> Any:
    hints = _hints(kind)
    if unknown := sorted(value.keys() - hints.keys()):
        raise ProtocolError(f"{kind.__name__} has no {', '.join(unknown)}")
    try:
        return kind(**{name: _build(hints[name], item) for name, item in value.items()})
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from error


def _build_tuple(kinds: tuple[Any, ...], value: list[Any]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_build(kinds[0], item) for item in value)
    if len(kinds) != len(value):
        raise ProtocolError(f"{value!r} has not {len(kinds)} items")
    return tuple(_build(kind, item) for kind, item in zip(kinds, value, strict=True))
