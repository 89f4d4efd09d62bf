"""Everything that can go wrong, as one tree. A message says what failed, on which file, and what to do about it."""

from __future__ import annotations


class AdderSESRError(Exception):
    """The root: an error that a person is told about in one line, without a traceback."""


class PictureError(AdderSESRError):
    """A picture cannot be read or written."""


class TooLargeError(PictureError):
    """A picture is too large to be held whole, as it is for the screen; the queue works by the strip."""


class VideoError(AdderSESRError):
    """A video cannot be read or written."""


class OutputError(AdderSESRError):
    """A result cannot be stored: no permission, no space, a name that is taken."""


class ModelError(AdderSESRError):
    """A model file or id is unknown, damaged or does not fit the request."""


class BackendError(AdderSESRError):
    """A back end is missing, refuses a network or failed while running."""


class DeviceError(BackendError):
    """A device that is there cannot be used: its driver or libraries are missing, or it failed. The CPU can go on."""


class DataError(AdderSESRError):
    """A data set is empty, inconsistent or overlaps what it must not."""


class ConfigError(AdderSESRError):
    """A setting is unknown or has a wrong value."""


class TrainingError(AdderSESRError):
    """Training cannot start or go on."""


class UsageError(AdderSESRError):
    """The command line was given something that it does not know; names what is near."""


class Cancelled(AdderSESRError):  # noqa: N818 - it is what was asked for, not a fault
    """The user asked for the work to stop."""
