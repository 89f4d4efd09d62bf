"""The queue along the bottom: a row a job, and what can be done with all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QFont, QGuiApplication, QKeySequence, QPainter, QPainterPath, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QMenu, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from addersesr_app import numbers_shown
from addersesr_app.queue_model import ENDED, QueueJob, QueueModel, Role, again
from addersesr_app.views.controls import Button, IconButton, column, label, row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtCore import QPoint

    from addersesr_app.queue_runner import QueueRunner
    from addersesr_app.theme import Theme

ROW_HEIGHT = 60
ROWS_SEEN = 3
PICTURE = 44
STATE_ICONS = {"done": "check", "failed": "warning", "skipped": "skip", "paused": "pause", "cancelled": "cancel", "waiting": "clock"}


class JobDelegate(QStyledItemDelegate):
    """Paints a job: its picture, name, state and progress."""

    def __init__(self, theme: Theme, model: QueueModel) -> None:
        super().__init__()
        self._theme, self._model = theme, model

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Give every row the same height."""
        return QSize(200, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Paint one row."""
        job: QueueJob = index.data(Role.JOB)
        rect: QRect = option.rect.adjusted(6, 2, -6, -2)
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("raised"))
            painter.drawRoundedRect(rect, 8, 8)
        self._paint_picture(painter, job, QRect(rect.left() + 8, rect.top() + (rect.height() - PICTURE) // 2, PICTURE, PICTURE))
        self._paint_text(painter, job, rect.adjusted(8 + PICTURE + 12, 7, -44, -8))
        self._paint_state(painter, job, rect)
        painter.restore()

    def _paint_picture(self, painter: QPainter, job: QueueJob, rect: QRect) -> None:
        if job.picture is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("raised"))
            painter.drawRoundedRect(rect, 6, 6)
            icon = self._theme.pixmap("picture", "muted", 20, 2.0)
            painter.drawPixmap(rect.center().x() - 9, rect.center().y() - 9, icon)
            return
        side = min(job.picture.width(), job.picture.height())
        source = QRect((job.picture.width() - side) // 2, (job.picture.height() - side) // 2, side, side)
        path = QPainterPath()
        path.addRoundedRect(QRectF(rect), 6, 6)
        painter.save()
        painter.setClipPath(path)
        painter.drawPixmap(rect, job.picture, source)
        painter.restore()

    def _paint_text(self, painter: QPainter, job: QueueJob, rect: QRect) -> None:
        font = QFont(painter.font())
        font.setPixelSize(13)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        name = painter.fontMetrics().elidedText(job.name, Qt.TextElideMode.ElideMiddle, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, name)
        font.setPixelSize(12)
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(self._theme.colour("danger" if job.state == "failed" else "muted"))
        words = painter.fontMetrics().elidedText(self._model.describe(job), Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect.adjusted(0, 19, 0, 0), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, words)
        if job.state in {"running", "paused"}:
            self._paint_bar(painter, job, QRectF(rect.left(), rect.bottom() - 2, rect.width(), 4))

    def _paint_bar(self, painter: QPainter, job: QueueJob, rect: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("line"))
        painter.drawRoundedRect(rect, 2, 2)
        painter.setBrush(self._theme.colour("muted" if job.state == "paused" else "accent"))
        painter.drawRoundedRect(QRectF(rect.topLeft(), rect.size()).adjusted(0, 0, -rect.width() * (1 - (job.fraction or 0.02)), 0), 2, 2)

    def _paint_state(self, painter: QPainter, job: QueueJob, rect: QRect) -> None:
        state = "failed" if job.state == "done" and job.errors else job.state
        name = STATE_ICONS.get(state)
        if name is not None:
            colour = {"done": "accent", "failed": "danger"}.get(state, "muted")
            painter.drawPixmap(rect.right() - 30, rect.center().y() - 9, self._theme.pixmap(name, colour, 18, 2.0))


class QueueView(QFrame):
    """The list and its buttons. ``open_wanted`` tells the path of a job that a person wants to see, ``fit_wanted`` jobs to fit to."""

    open_wanted = Signal(str)
    fit_wanted = Signal(list)

    def __init__(self, theme: Theme, runner: QueueRunner) -> None:
        super().__init__()
        self.setObjectName("queue")
        self._runner, self._model = runner, runner.model
        self._title = label("", "heading")
        self._summary = label("", "small")
        self.start = Button(theme, self.tr("Start"), "play", "primary")
        self.pause = Button(theme, self.tr("Pause"), "pause")
        self.retry = Button(theme, self.tr("Retry failed"), "retry")
        self.clear = IconButton(theme, "check", self.tr("Remove what has ended"))
        self.start.clicked.connect(runner.start)
        self.pause.clicked.connect(runner.pause)
        self.retry.clicked.connect(lambda: runner.retry([job for job in self._model.jobs if job.state == "failed" or job.errors]))
        self.clear.clicked.connect(lambda: runner.remove([job for job in self._model.jobs if job.state in ENDED]))
        self.list = self._list(theme)
        head = row(self._title, self._summary, -1, self.retry, self.pause, self.start, self.clear, margins=(16, 8, 12, 4), spacing=10)
        self.setLayout(column(head, self.list, margins=(0, 2, 0, 8), spacing=2))
        runner.changed.connect(self._update)
        for signal in (self._model.rowsInserted, self._model.rowsRemoved):
            signal.connect(self._update)
        theme.changed.connect(self.list.viewport().update)
        self._add_keys()
        self._update()

    def selected(self) -> list[QueueJob]:
        """The jobs that are selected."""
        return [index.data(Role.JOB) for index in self.list.selectionModel().selectedIndexes()]

    def list_keys(self) -> list[tuple[str, str]]:
        """The keys of the list, and what they do with what is selected."""
        return [
            ("Return", self.tr("Show before and after")),
            ("O", self.tr("Reveal in folder")),
            ("C", self.tr("Copy error")),
            ("R", self.tr("Retry")),
            ("Backspace", self.tr("Cancel")),
            ("Alt+Up / Alt+Down", self.tr("Move up, down")),
            ("Del", self.tr("Remove")),
        ]

    def start_or_pause(self) -> None:
        """Work on the queue, or hold it."""
        if self._runner.running:
            self._runner.pause()
        elif self._model.jobs:
            self._runner.start()

    def _reveal(self) -> None:
        for job in self.selected()[:1]:
            reveal(job.result or job.path)

    def _copy_errors(self) -> None:
        if text := errors_of(self.selected()):
            QGuiApplication.clipboard().setText(text)

    def _list(self, theme: Theme) -> QListView:
        view = QListView()
        view.setModel(self._model)
        view.setItemDelegate(JobDelegate(theme, self._model))
        view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setMouseTracking(True)
        view.setUniformItemSizes(True)
        view.setAccessibleName(self.tr("Queue"))
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._show_menu)
        view.doubleClicked.connect(lambda index: self.open_wanted.emit(index.data(Role.JOB).path))
        return view

    def _add_keys(self) -> None:
        keys: dict[str, Callable[[], None]] = {
            "Del": lambda: self._runner.remove(self.selected()),
            "R": lambda: self._runner.retry(self.selected()),
            "Alt+Up": lambda: self._move(-1),
            "Alt+Down": lambda: self._move(1),
            "Return": lambda: self._open(self.selected()),
            "Backspace": lambda: self._cancel(self.selected()),
            "O": self._reveal,
            "C": self._copy_errors,
        }
        for key, action in keys.items():
            QShortcut(QKeySequence(key), self.list, action, context=Qt.ShortcutContext.WidgetShortcut)

    def _update(self) -> None:
        jobs = self._model.jobs
        self.setVisible(bool(jobs))
        ended = [job for job in jobs if job.state in ENDED]
        self._title.setText(self.tr("Queue"))
        texts = [self.tr("{done} of {all} done").format(done=len(ended), all=len(jobs))]
        remaining = self._runner.remaining_seconds()
        if remaining is not None:
            texts.append(self.tr("this one {time} more").format(time=numbers_shown.duration(remaining)))
        self._summary.setText(" · ".join(texts))
        waiting = any(job.state in {"waiting", "paused"} for job in jobs)
        self.start.setVisible(not self._runner.running and waiting)
        self.pause.setVisible(self._runner.running)
        self.retry.setVisible(any(job.state == "failed" or job.errors for job in ended))
        self.clear.setVisible(bool(ended))
        self.list.setFixedHeight(ROW_HEIGHT * min(max(len(jobs), 1), ROWS_SEEN))

    def _show_menu(self, where: QPoint) -> None:
        jobs = self.selected()
        if not jobs:
            return
        menu = self.menu(jobs)
        menu.exec(self.list.viewport().mapToGlobal(where))

    def menu(self, jobs: Sequence[QueueJob]) -> QMenu:
        """What can be done with these jobs."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        errors = errors_of(jobs)
        notes = "\n".join(text for job in jobs for text in job.warnings)
        entries: list[tuple[str, Callable[[], None], bool]] = [
            (self.tr("Show before and after"), lambda: self._open(jobs), True),
            (self.tr("Fit the network to this"), lambda: self.fit_wanted.emit(list(jobs)), can_be_fitted_to(jobs)),
            (self.tr("Reveal in folder"), lambda: reveal(jobs[0].result or jobs[0].path), True),
            (self.tr("Copy error"), lambda: QGuiApplication.clipboard().setText(errors), bool(errors)),
            (self.tr("Make again exactly"), lambda: self._runner.make_again(jobs), all(again(job) is not None for job in jobs)),
            (self.tr("Copy notes"), lambda: QGuiApplication.clipboard().setText(notes), bool(notes)),
            (self.tr("Retry"), lambda: self._runner.retry(jobs), any(job.state in ENDED for job in jobs)),
            (self.tr("Cancel"), lambda: self._cancel(jobs), any(job.state not in ENDED for job in jobs)),
            (self.tr("Move up"), lambda: self._move(-1), True),
            (self.tr("Move down"), lambda: self._move(1), True),
            (self.tr("Remove"), lambda: self._runner.remove(jobs), True),
        ]
        for text, action, possible in entries:
            if possible:
                menu.addAction(text, action)
        return menu

    def _open(self, jobs: Sequence[QueueJob]) -> None:
        if jobs and Path(jobs[0].path).is_file():
            self.open_wanted.emit(jobs[0].path)

    def _cancel(self, jobs: Sequence[QueueJob]) -> None:
        for job in jobs:
            self._runner.cancel(job)

    def _move(self, steps: int) -> None:
        for job in self.selected()[:: -1 if steps > 0 else 1]:
            self._model.move(job, steps)


def errors_of(jobs: Sequence[QueueJob]) -> str:
    """What went wrong with these jobs, a line each."""
    return "\n".join(text for job in jobs for text in (job.errors or ([job.message] if job.state == "failed" else [])))


def can_be_fitted_to(jobs: Sequence[QueueJob]) -> bool:
    """Whether these jobs have pictures or clips to learn from, and torch is there to learn with."""
    from addersesr_app.views.train_missing import torch_is_there  # noqa: PLC0415 (not before somebody asks)

    return all(Path(job.path).exists() for job in jobs) and torch_is_there()


def reveal(path: str) -> None:
    """Show a file in the desktop's file manager, selected where that can be asked for."""
    if sys.platform == "darwin":
        subprocess.Popen(["open", "-R", path])
    elif sys.platform == "win32":
        subprocess.Popen(["explorer", "/select,", path])
    else:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(path).parent)))
