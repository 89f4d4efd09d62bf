"""TensorBoard's log files, written without TensorBoard: scalars alone, which is a few bytes of protocol buffers in a record format.

A record is its length (uint64), a checksum of that, its bytes, and a checksum of those (TFRecord). The bytes are an ``Event``:
field 1 wall time (double), 2 step (int64), 3 file version (string, in the first record) or 5 ``Summary``, whose field 1 is a
``Value`` with field 1 tag and field 2 ``simple_value`` (float).
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from engine.events import Event

POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), bits reversed."""
SCALARS = {
    "step": {"loss": "loss", "rate": "learning_rate", "steps_per_second": "steps_per_second"},
    "validated": {"psnr": "psnr", "ssim": "ssim"},
}
"""Which fields of which events are logged, under which tag."""


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)


TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """CRC-32C, turned and offset as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class Log:
    """One log file in ``folder``, for a run's events."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        self._file = (folder / f"events.out.tfevents.{int(now)}.{socket.gethostname()}.{os.getpid()}").open("ab")
        self._write(_double(1, now) + _bytes(3, b"brain.Event:2"))

    def add(self, event: Event) -> None:
        """Log what an event measures; others are not logged."""
        tags = SCALARS.get(event.name, {})
        if tags:
            values = event.to_dict()
            summary = b"".join(_bytes(1, _bytes(1, tag.encode()) + _float(2, float(values[field]))) for field, tag in tags.items())
            self._write(_double(1, time.time()) + _number(2, int(values["step"])) + _bytes(5, summary))

    def close(self) -> None:
        """No more will come."""
        self._file.close()

    def _write(self, record: bytes) -> None:
        length = struct.pack("<Q", len(record))
        self._file.write(length + struct.pack("<I", masked_crc(length)) + record + struct.pack("<I", masked_crc(record)))
        self._file.flush()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)
