"""Files that ship with the application: weights, catalogue, icons, the sample picture."""

from pathlib import Path

FOLDER = Path(__file__).parent
MODELS = FOLDER / "models"
