"""The window: a rail of pages, the pages, and what can be dropped, opened or pasted anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QMainWindow, QStackedWidget, QWidget

from addersesr_app.views.controls import row
from addersesr_app.views.rail import Rail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QImage

    from addersesr_app.theme import Theme

READABLE = "*.png *.jpg *.jpeg *.jpe *.jfif *.webp *.tif *.tiff *.bmp *.avif *.jp2 *.pnm *.ppm *.pgm"


class MainWindow(QMainWindow):
    """Tells what a person brings: ``files_given`` paths, ``image_given`` a pasted picture; ``closed`` when it goes."""

    files_given = Signal(list)
    image_given = Signal(object)
    closed = Signal()

    def __init__(self, theme: Theme, pages: Mapping[str, tuple[str, Callable[[], QWidget]]], size: tuple[int, int]) -> None:
        """``pages`` are names with their texts and what makes them when they are first seen, in order."""
        super().__init__()
        self.setWindowTitle("AdderSESR")
        self.setAcceptDrops(True)
        self.resize(*size)
        self.may_close: Callable[[], bool] | None = None
        self._makers = {name: make for name, (_, make) in pages.items()}
        self._pages: dict[str, QWidget] = {}
        self._stack = QStackedWidget()
        self._rail = Rail(theme, [(name, text) for name, (text, _) in pages.items()])
        self._rail.chosen.connect(self.show_page)
        middle = QWidget()
        middle.setLayout(row(self._rail, self._stack, spacing=0))
        self.setCentralWidget(middle)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Open), self, self.ask_for_files)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self, self.paste)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Quit), self, self.close)

    @property
    def page(self) -> str:
        """The name of the page that is seen."""
        return next((name for name, page in self._pages.items() if page is self._stack.currentWidget()), "")

    def show_page(self, name: str) -> None:
        """See another page."""
        if name not in self._pages:
            self._pages[name] = self._makers[name]()
            self._stack.addWidget(self._pages[name])
        self._stack.setCurrentWidget(self._pages[name])
        self._rail.choose(name)
        self._pages[name].setFocus()

    def ask_for_files(self) -> None:
        """Let a person choose pictures."""
        chosen, _ = QFileDialog.getOpenFileNames(
            self, self.tr("Open pictures"), "", self.tr("Pictures ({patterns});;All files (*)").format(patterns=READABLE)
        )
        self._give([Path(name) for name in chosen])

    def paste(self) -> None:
        """Take files or a picture from the clipboard."""
        data = QGuiApplication.clipboard().mimeData()
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data is not None else []
        image: QImage = QGuiApplication.clipboard().image()
        if files:
            self._give(files)
        elif not image.isNull():
            self.show_page("upscale")
            self.image_given.emit(image)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take files."""
        self._give([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Tell that the window goes, unless something must be asked first."""
        if self.may_close is not None and not self.may_close():
            event.ignore()
            return
        self.closed.emit()
        super().closeEvent(event)

    def _give(self, files: Sequence[Path]) -> None:
        if files:
            self.show_page("upscale")
            self.files_given.emit(list(files))
