"""What becomes of a name that is taken; apart from `engine.naming`, so that settings are read at once."""

from __future__ import annotations

from typing import Literal

Existing = Literal["rename", "overwrite", "skip"]
