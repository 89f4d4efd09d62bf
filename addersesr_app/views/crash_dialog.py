"""Something broke that should not: what, and a log to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QPlainTextEdit

from addersesr_app.views.controls import Button, column, label, row

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QWidget

    from addersesr_app.theme import Theme

SIZE = (640, 420)


class CrashDialog(QDialog):
    """``log`` is what a report needs; it can be copied. Nothing is sent anywhere."""

    def __init__(self, theme: Theme, text: str, log: str, folder: Path, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Something went wrong"))
        self.resize(*SIZE)
        self.log = QPlainTextEdit(log)
        self.log.setReadOnly(True)
        self.log.setAccessibleName(self.tr("Log"))
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.copy = Button(theme, self.tr("Copy the log"), "copy", "primary")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.log.toPlainText()))
        opened = Button(theme, self.tr("Open the log's folder"), "folder")
        opened.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))))
        close = Button(theme, self.tr("Close"))
        close.clicked.connect(self.accept)
        hint = label(self.tr("The log says where. It stays on this computer unless you send it to somebody."), "muted", wrap=True)
        self.setLayout(
            column(
                label(text, "heading", wrap=True, selectable=True),
                hint,
                self.log,
                row(self.copy, opened, -1, close),
                margins=(24, 20, 24, 20),
                spacing=12,
            )
        )
