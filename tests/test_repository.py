"""What the repository promises of itself: its table is current, its pins cover its dependencies, its start is light."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

import resources
from engine import figures
from engine.catalogue import Catalogue
from tests.conftest import ROOT

HEAVY = ("PySide6", "cv2", "halide", "numpy", "onnx", "onnxruntime", "pyqtgraph", "torch")
NOT_IN_THE_WINDOW = ("halide", "onnx", "onnxruntime", "torch")


def normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """Every dependency in pyproject.toml; ``pyvips[binary]`` brings pyvips-binary too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    every = [*project["project"]["dependencies"], *project["build-system"]["requires"], *(line for extra in extras for line in extra)]
    parts = [re.match(r"([\w.-]+)(?:\[(\w+)\])?", line).groups() for line in every]
    return {normal(name) for name, _ in parts} | {normal(f"{name}-{extra}") for name, extra in parts if extra}


def test_every_direct_dependency_is_pinned_with_a_reason() -> None:
    lines = [line for line in (ROOT / "packaging" / "constraints.txt").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    pins = [re.fullmatch(r"([\w.-]+)==[\w.]+ +# \S.{10,}", line) for line in lines]
    assert all(pins), lines
    assert {normal(pin[1]) for pin in pins} == declared()
    assert "torch==2.13.0" in {line.split()[0] for line in lines}


def test_the_readmes_table_is_what_the_cards_say() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    table = figures.markdown(Catalogue([resources.MODELS]).entries())
    assert figures.with_table(readme, table) == readme, "run `make table`"


def test_the_table_needs_its_markers() -> None:
    text = f"before\n{figures.BEGIN}old\n{figures.END}\nafter\n"
    assert figures.with_table(text, "| new |\n") == f"before\n{figures.BEGIN}| new |\n{figures.END}\nafter\n"
    with pytest.raises(ValueError, match="once each"):
        figures.with_table("no markers", "")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/energy.md", "docs/model-files.md", "docs/pictures.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / document).parent / target).exists(), target


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_file_names_and_endings() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, listed):
        assert name.isascii(), name
        if name.endswith((".py", ".md", ".toml", ".txt")) and (ROOT / name).exists():
            data = (ROOT / name).read_bytes()
            assert b"\r" not in data, name
            assert not data or data.endswith(b"\n"), name


def imported(code: str) -> set[str]:
    """Top-level modules that are loaded once ``code`` has run in a fresh interpreter."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})), file=sys.stderr)"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    return set(json.loads(run.stderr.splitlines()[-1]))


def test_the_version_imports_nothing_heavy() -> None:
    code = "from addersesr_app.__main__ import command_line\ntry:\n    command_line(['--version'])\nexcept SystemExit:\n    pass"
    assert not imported(code) & set(HEAVY)


def test_the_windows_process_does_not_load_the_engines_libraries() -> None:
    assert not imported("import addersesr_app.app") & set(NOT_IN_THE_WINDOW)


def test_engine_modules_import_without_torch() -> None:
    modules = [f"engine.{path.stem}" for path in (ROOT / "engine").glob("*.py")]
    modules += [f"engine.{name}" for name in ("export.onnx", "backends.choose", "backends.onnx", "backends.torch")]
    assert "torch" not in imported("\n".join(f"import {module}" for module in modules))
