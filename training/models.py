"""Models by id or file, for those who start from one."""

from __future__ import annotations

from pathlib import Path
import resources
from engine.catalogue import Catalogue
from engine.errors import ModelError
from engine.weights import Model, read


def find_model(name: str) -> Model:
    """A model file, or a model that ships by its id. Raises ModelError naming near ids."""
    path = Path(name)
    if path.suffix == ".safetensors" or path.is_file():
        return read(path)
    found = Catalogue((Path(resources.__file__).parent / "models",)).find(name)
    if not isinstance(found, Model):
        raise ModelError(f"{name}: somebody else's ONNX file cannot be trained on")
    return found
