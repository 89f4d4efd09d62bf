"""The window: a rail of pages, the pages, and what can be dropped, opened or pasted anywhere.

It is shown before its pages are made: what they need takes several times as long to load as an empty window takes to be seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from addersesr_app.views.controls import row
from addersesr_app.views.empty_view import EmptyView
from addersesr_app.views.rail import Rail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QImage, QPaintEvent

    from addersesr_app.theme import Theme

PAGES = ("upscale", "train", "models", "settings")


class MainWindow(QMainWindow):
    """Tells what a person brings: ``files_given`` paths, ``image_given`` a pasted picture; ``closed`` when it goes.

    ``seen`` tells once that it was painted. Until `furnish` there is ``empty`` to be seen, which the first page takes over.
    """

    seen = Signal()
    files_given = Signal(list)
    image_given = Signal(object)
    closed = Signal()

    def __init__(self, theme: Theme, size: tuple[int, int]) -> None:
        super().__init__()
        self.setWindowTitle("AdderSESR")
        self.setAcceptDrops(True)
        self.resize(*size)
        self.may_close: Callable[[], bool] | None = None
        self._makers: Mapping[str, Callable[[], QWidget]] = {}
        self._pages: dict[str, QWidget] = {}
        self._wanted = PAGES[0]
        self._was_seen = False
        self.empty = EmptyView(theme)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        texts = (self.tr("Upscale"), self.tr("Train"), self.tr("Models"), self.tr("Settings"))
        self._rail = Rail(theme, tuple(zip(PAGES, texts, strict=True)))
        self._rail.chosen.connect(self.show_page)
        middle = QWidget()
        middle.setLayout(row(self._rail, self._stack, spacing=0))
        self.setCentralWidget(middle)

    def furnish(self, makers: Mapping[str, Callable[[], QWidget]]) -> None:
        """Take what makes each of `PAGES` when it is first seen, and see the page that was asked for."""
        from PySide6.QtGui import QKeySequence, QShortcut  # noqa: PLC0415 (their enumerations take longer than the window)

        self._makers = makers
        self._rail.add_keys()
        for key, action in (("Open", self.ask_for_files), ("Paste", self.paste), ("Quit", self.close)):
            QShortcut(QKeySequence(QKeySequence.StandardKey[key]), self, action)
        self.show_page(self._wanted)

    @property
    def page(self) -> str:
        """The name of the page that is seen."""
        return next((name for name, page in self._pages.items() if page is self._stack.currentWidget()), "")

    def show_page(self, name: str) -> None:
        """See another page; before `furnish`, as soon as there are pages."""
        self._wanted = name
        self._rail.choose(name)
        if not self._makers:
            self.empty.setVisible(name == PAGES[0])
            return
        if name not in self._pages:
            self._pages[name] = self._makers[name]()
            self._stack.addWidget(self._pages[name])
        self._stack.setCurrentWidget(self._pages[name])
        self._pages[name].setFocus()

    def ask_for_files(self) -> None:
        """Let a person choose pictures and films."""
        from PySide6.QtWidgets import QFileDialog  # noqa: PLC0415 (as above)

        chosen, _ = QFileDialog.getOpenFileNames(self, self.tr("Open pictures and films"), "", self.file_filter())
        self._give([Path(name) for name in chosen])

    def file_filter(self) -> str:
        """What the dialog for files offers: all that can be read."""
        from engine.formats import READABLE_ENDINGS  # noqa: PLC0415 (as above)
        from engine.kinds import VIDEO_EXTENSIONS  # noqa: PLC0415

        kinds = {
            self.tr("Pictures and films"): READABLE_ENDINGS | VIDEO_EXTENSIONS,
            self.tr("Pictures"): READABLE_ENDINGS,
            self.tr("Films"): VIDEO_EXTENSIONS,
        }
        filters = [f"{name} ({' '.join(f'*{ending}' for ending in sorted(endings))})" for name, endings in kinds.items()]
        return ";;".join([*filters, self.tr("All files (*)")])

    def paste(self) -> None:
        """Take files or a picture from the clipboard."""
        from PySide6.QtGui import QGuiApplication  # noqa: PLC0415 (as above)

        data = QGuiApplication.clipboard().mimeData()
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()] if data is not None else []
        image: QImage = QGuiApplication.clipboard().image()
        if files:
            self._give(files)
        elif not image.isNull():
            self.show_page("upscale")
            self.image_given.emit(image)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell, once what is being painted is on the screen, that the window is seen."""
        super().paintEvent(event)
        if not self._was_seen:
            self._was_seen = True
            QTimer.singleShot(0, self.seen.emit)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            from PySide6.QtCore import Qt  # noqa: PLC0415 (as above)

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
