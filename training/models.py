"""Models by id or file, for those who start from one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import resources
from engine.catalogue import Catalogue
from engine.weights import read

if TYPE_CHECKING:
    from engine.weights import Model


def find_model(name: str) -> Model:
    """A model file, or a model that ships by its id. Raises ModelError naming near ids."""
    path = Path(name)
    if path.suffix == ".safetensors" or path.is_file():
        return read(path)
    return Catalogue((Path(resources.__file__).parent / "models",)).find(name)
