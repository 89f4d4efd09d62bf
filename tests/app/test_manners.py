"""What a window owes everybody: names for screen readers, room for other languages, no reaching into the network."""

import ast
import contextlib
from pathlib import Path

import pytest
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QListView, QProgressBar, QSpinBox, QWidget

from addersesr_app import theme
from tests.windows import WAIT_MS, end_application, make_application

ROOT = Path(__file__).parent.parent.parent
PAGES = ("upscale", "models", "settings")
NAMED = (QAbstractButton, QComboBox, QLineEdit, QSpinBox, QProgressBar, QListView)


class Longer(QTranslator):
    """A language in which everything takes a third more room, as German does."""

    def translate(self, context, text, disambiguation=None, n=-1):
        return f"[{text}{'ö' * (len(text) // 3)}]" if text else text


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_can_be_used_has_a_name(application, qtbot, page):
    qtbot.waitUntil(lambda: application.upscale_page.network() is not None, timeout=WAIT_MS)
    application.window.show_page(page)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for kind in NAMED
        for widget in application.window.findChildren(kind)
        if not (widget.accessibleName() or getattr(widget, "text", str)())
        and not widget.objectName().startswith("qt_")
        and not isinstance(widget.parent(), QSpinBox | QComboBox)
        and "QComboBox" not in widget.parent().metaObject().className()
    ]
    assert nameless == []


def test_a_longer_language_is_not_cut_off(qapp, qtbot, tmp_path, window_models):
    translator = Longer()
    qapp.installTranslator(translator)
    try:
        application = make_application(qapp, tmp_path / "home", window_models)
        application.start()
        qtbot.waitUntil(lambda: application.upscale_page.network() is not None, timeout=WAIT_MS)
        cut = []
        for page in PAGES:
            application.window.show_page(page)
            with contextlib.suppress(qtbot.TimeoutError):  # what was just written is laid out a moment later
                qtbot.waitUntil(lambda: not list(cut_off(application.window)), timeout=3000)
            cut += [f"{page}: {text}" for text in cut_off(application.window)]
        application.upscale_page.costs.show_sources()
        application.crashes.show_engine("It stopped.")
        application.upscale_page.show_keys()
        for dialog in (application.upscale_page.costs.dialog, application.crashes.dialog, application.upscale_page.keys):
            cut += [f"{type(dialog).__name__}: {text}" for text in cut_off(dialog)]
            dialog.accept()
        end_application(qapp, application)
    finally:
        qapp.removeTranslator(translator)
    assert not cut, "\n".join(cut)


def cut_off(window):
    """The texts of visible labels and buttons that do not fit into them."""
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QLabel | QAbstractButton) or not widget.text():
            continue
        if isinstance(widget, QLabel) and (
            widget.wordWrap() or widget.sizePolicy().horizontalPolicy() == widget.sizePolicy().Policy.Ignored
        ):
            continue
        if widget.width() < widget.minimumSizeHint().width() - 1:
            yield f"{widget.text()} ({widget.width()} < {widget.minimumSizeHint().width()})"


def test_the_window_knows_no_network():
    for file in (*(ROOT / "addersesr_app").rglob("*.py"), *(ROOT / "engine").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            reaching = [
                name
                for name in names
                if name.split(".")[0] in {"urllib", "http", "requests", "ftplib"} or name.startswith("PySide6.QtNetwork")
            ]
            assert not reaching, f"{file} imports {reaching}"


@pytest.mark.parametrize("colours", ["LIGHT", "DARK"])
def test_text_can_be_read_on_its_ground(colours):
    chosen = getattr(theme, colours)
    for text, grounds in {
        "text": ("ground", "surface", "raised", "accent_soft", "segment"),
        "muted": ("ground", "surface", "raised"),
        "accent": ("surface", "ground", "accent_soft"),
        "danger": ("surface", "ground"),
        "on_accent": ("accent", "accent_hover"),
    }.items():
        for ground in grounds:
            ratio = contrast(getattr(chosen, text), getattr(chosen, ground))
            assert ratio >= 4.5, f"{text} on {ground}: {ratio:.2f}"


def contrast(first, second):
    """WCAG 2's contrast ratio of two colours."""
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
