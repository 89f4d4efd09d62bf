"""Models by id or file, for those who start from one."""

from __future__ import annotations

from pathlib import Path

import resources
from engine.catalogue import Catalogue
from engine.errors import ModelError
from engine.selection import find_own
from engine.weights import Model, read

SHIPPED = Path(resources.__file__).parent / "models"


def find_model(name: str) -> Model:
    """A model file, or a model that ships by its id. Raises ModelError naming near ids."""
    path = Path(name)
    if path.suffix == ".safetensors" or path.is_file():
        return read(path)
    found = Catalogue((SHIPPED,)).find(name)
    if not isinstance(found, Model):
        raise ModelError(f"{name}: somebody else's ONNX file cannot be trained on")
    return found


def located(name: str, catalogue: Catalogue) -> str:
    """What `find_model` finds: the file of a model that ``catalogue`` has beside those that ship. Raises UsageError naming near ids.

    Ids of models that ship stay as they are, so that a run's settings hold where the application lies elsewhere.
    """
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        return str(Path(name).expanduser().resolve())
    file = catalogue.entry(find_own(catalogue, name).id).file
    return name if file.parent == SHIPPED else str(file)
