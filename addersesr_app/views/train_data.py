"""The first step of a training: which pictures. They are looked through at once, and what is left out is shown with its reason."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QImageReader, QPixmap
from PySide6.QtWidgets import QFileDialog, QListWidget, QListWidgetItem, QProgressBar, QWidget

from addersesr_app.views.controls import Button, Card, IconButton, Segments, column, label, row, set_role
from addersesr_app.views.train_crop import CropDialog
from addersesr_app.views.train_parts import ElidedLabel, Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage

    from addersesr_app.child import Child
    from addersesr_app.theme import Theme

THUMBNAIL = 72
MOST_SHOWN = 200
"""Left-out files that are listed; there may be thousands."""


class DataStep(QWidget):
    """Asks for folders and shows the data check. ``changed`` comes with every choice and when the check ends."""

    changed = Signal()

    def __init__(self, theme: Theme, child: Child) -> None:
        """``child`` runs the check."""
        super().__init__()
        self._theme, self._child = theme, child
        self._scale = 2
        self.ready = False
        self.ready = False
        self.setAcceptDrops(True)
        self.data, self.validation, self.sample = (
            _PathRow(theme, *texts)
            for texts in (
                (self.tr("Training pictures"), self.tr("Drop a folder here, or choose one"), True),
                (self.tr("Validation pictures"), self.tr("A held-out part of the training pictures"), True),
                (self.tr("Live sample"), self.tr("The middle of the first validation picture"), False),
            )
        )
        self.degrade = Segments(
            self.tr("Made for"),
            [("none", self.tr("Clean pictures")), ("photo", self.tr("JPEG photos")), ("video", self.tr("Compressed video"))],
        )
        self.degrade.choose("none")
        self.report = _Report(theme)
        self.sample.ask = self._ask_sample
        self.dialog: CropDialog | None = None
        self._crops: TemporaryDirectory[str] | None = None
        for part in (self.data, self.validation):
            part.changed.connect(self._check)
        self.sample.changed.connect(self.changed)
        self.degrade.chosen.connect(lambda _: self.changed.emit())
        child.told.connect(self._on_told)
        child.ended.connect(self._on_ended)
        hint = label(
            self.tr(
                "Any folder of good pictures will do, with its sub-folders: sharp, uncompressed where possible, "
                "a hundred or more. DIV2K's layout is understood."
            ),
            "muted",
            wrap=True,
        )
        form = Card(
            hint, self.data, self.validation, self.sample, row(label(self.tr("Made for")), self.degrade, -1, spacing=12), spacing=12
        )
        self.setLayout(column(form, self.report, -1, spacing=14))

    def settings(self) -> dict[str, Any]:
        """What was chosen, by the settings' names."""
        chosen = {
            "data": self.data.path,
            "val": self.validation.path,
            "sample": self.sample.path,
            "degrade": self.degrade.value() or "none",
        }
        return {name: value for name, value in chosen.items() if value}

    def set_scale(self, scale: int) -> None:
        """Look through the pictures for another factor."""
        if scale != self._scale:
            self._scale = scale
            self._check()

    def give(self, path: Path) -> None:
        """Take a folder that was dropped, or the folder of a file."""
        self.data.set_path(path if path.is_dir() else path.parent)

    def stop(self) -> None:
        """Look through no more pictures, and forget the sample that was cut out."""
        self._child.stop()
        if self._crops is not None:
            self._crops.cleanup()
            self._crops = None

    def choose_sample(self, picture: Path) -> None:
        """Let a person choose a part of ``picture`` to watch."""
        self.dialog = CropDialog(self._theme, picture, self._scale, self)
        self.dialog.chosen.connect(lambda image: self._keep_sample(picture, image))
        self.dialog.open()

    def _ask_sample(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, self.tr("Live sample"), self.data.path)
        if file:
            self.choose_sample(Path(file))

    def _keep_sample(self, picture: Path, image: QImage) -> None:
        self._crops = self._crops or TemporaryDirectory(prefix="addersesr-")
        file = Path(self._crops.name) / f"{picture.stem}.png"
        image.save(str(file))
        self.sample.set_path(file)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept folders and files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the first one."""
        self.give(next(Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()))
        event.acceptProposedAction()

    def _check(self) -> None:
        self.ready = False
        self.ready = False
        self._child.stop()
        if self.data.path:
            self.report.begin()
            words = ["--data", self.data.path, *(("--val", self.validation.path) if self.validation.path else ())]
            self._child.start("train", "--check", "--scale", self._scale, *words)
        self.changed.emit()

    def _on_told(self, event: dict[str, Any]) -> None:
        if event.get("event") == "problem":
            self.report.add(str(event["file"]), str(event["kind"]), str(event["message"]))
        elif event.get("event") == "checked":
            self.report.show_counts(int(event["pictures"]), int(event["validation"]), int(event["left_out"]))
            self.ready = int(event["pictures"]) > 0
            self.changed.emit()

    def _on_ended(self, _status: int, complaint: str) -> None:
        self.report.end(complaint if not self.ready else "")
        self.changed.emit()


class _PathRow(QWidget):
    """A folder or file that is chosen, and can be cleared. ``ask`` is done instead of asking for a folder."""

    changed = Signal()

    def __init__(self, theme: Theme, name: str, nothing: str, is_folder: bool) -> None:
        super().__init__()
        self._name, self._nothing = name, nothing
        self.ask: Callable[[], None] | None = None
        self.path = ""
        self._shown = ElidedLabel()
        self._shown.setAccessibleName(name)
        self.choose = Button(theme, self.tr("Choose…"), "folder" if is_folder else "picture")
        self.choose.setAccessibleName(self.tr("Choose: {name}").format(name=name))
        self._clear = IconButton(theme, "cancel", self.tr("Clear: {name}").format(name=name))
        self.choose.clicked.connect(self._ask)
        self._clear.clicked.connect(lambda: self.set_path(None))
        title = label(name)
        title.setMinimumWidth(140)
        line = row(title, self._shown, self._clear, self.choose, spacing=12)
        line.setStretch(1, 1)
        self.setLayout(line)
        self.set_path(None)

    def set_path(self, path: Path | None) -> None:
        """Take another path, or none."""
        self.path = str(path.absolute()) if path else ""
        self._shown.show_text(self.path or self._nothing)
        set_role(self._shown, "" if path else "muted")
        self._clear.setVisible(bool(path))
        self.changed.emit()

    def _ask(self) -> None:
        if self.ask is not None:
            self.ask()
            return
        chosen = QFileDialog.getExistingDirectory(self, self._name, self.path)
        if chosen:
            self.set_path(Path(chosen))


class _Report(Card):
    """What the check found: three numbers, a sentence, and the files that are left out."""

    def __init__(self, theme: Theme) -> None:
        self.figures = (
            Figure(self.tr("to train on"), "number"),
            Figure(self.tr("held out"), "number"),
            Figure(self.tr("left out"), "number"),
        )
        self.verdict = label("", wrap=True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self.files = QListWidget()
        self.files.setIconSize(QSize(THUMBNAIL, THUMBNAIL * 3 // 4))
        self.files.setSpacing(4)
        self.files.setMinimumHeight(220)
        self.files.setWordWrap(True)
        self.files.setAccessibleName(self.tr("Pictures that are left out"))
        super().__init__(row(*self.figures, -1, spacing=36), self._busy, self.verdict, self.files, spacing=12)
        self._theme = theme
        self._waiting: list[QListWidgetItem] = []
        self._kinds: dict[str, int] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._draw_next)
        self.hide()

    def begin(self) -> None:
        """A check begins."""
        self.files.clear()
        self._waiting, self._kinds = [], {}
        for figure in self.figures:
            figure.show_value("–")
        self.verdict.setText(self.tr("Looking through the pictures…"))
        self._busy.show()
        self.files.hide()
        self.show()

    def add(self, file: str, kind: str, message: str) -> None:
        """A picture is left out."""
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        self.figures[2].show_value(str(sum(self._kinds.values())))
        if self.files.count() >= MOST_SHOWN:
            return
        item = QListWidgetItem(f"{Path(file).name}\n{message.removeprefix(file + ': ')}")
        item.setToolTip(file)
        item.setData(Qt.ItemDataRole.UserRole, file)
        self.files.addItem(item)
        self.files.show()
        self._waiting.append(item)
        self._timer.start()

    def show_counts(self, pictures: int, validation: int, left_out: int) -> None:
        """The check has come to its end."""
        for figure, value in zip(self.figures, (pictures, validation, left_out), strict=True):
            figure.show_value(str(value))
        self.verdict.setText(self._sentence(pictures, validation))

    def end(self, complaint: str) -> None:
        """The check is over; ``complaint`` says why it could not be done."""
        self._busy.hide()
        if complaint:
            self.verdict.setText(complaint)

    def _sentence(self, pictures: int, validation: int) -> str:
        if not pictures:
            return self.tr("No picture is left to train on. Choose another folder.")
        names = {
            "unusable": self.tr("{n} cannot be read"),
            "wrong scale": self.tr("{n} of another scale"),
            "too small": self.tr("{n} too small"),
            "duplicate": self.tr("{n} there twice"),
            "overlap": self.tr("{n} that validation shows too"),
            "benchmark": self.tr("{n} from a benchmark"),
        }
        parts = [names[kind].format(n=count) for kind, count in self._kinds.items() if kind in names]
        good = (
            self.tr("Good to train on.")
            if not parts
            else self.tr("Good to train on; left out: {reasons}.").format(reasons=", ".join(parts))
        )
        if not validation:
            good += " " + self.tr(
                "There are too few pictures to hold some out: the newest network is kept, not the best. "
                "Choose validation pictures to see PSNR."
            )
        return good

    def _draw_next(self) -> None:
        """Make one thumbnail, then let the window do something else."""
        if not self._waiting:
            self._timer.stop()
            return
        item = self._waiting.pop(0)
        reader = QImageReader(str(item.data(Qt.ItemDataRole.UserRole)))
        reader.setAutoTransform(True)
        size = reader.size()
        if size.isValid():
            reader.setScaledSize(size.scaled(THUMBNAIL * 2, THUMBNAIL * 3 // 2, Qt.AspectRatioMode.KeepAspectRatio))
        image = reader.read()
        icon = self._theme.icon("warning", "muted", 32) if image.isNull() else QIcon(QPixmap.fromImage(image))
        item.setIcon(icon)
