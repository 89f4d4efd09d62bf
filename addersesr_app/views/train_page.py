"""The training page: runs on the left, and beside them a new one being set up, or one being watched, compared, put to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, Qt, QTimer, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from addersesr_app.views.banner import Banner
from addersesr_app.views.controls import Segments, column, row
from addersesr_app.views.train_compare import CompareRuns
from addersesr_app.views.train_controls import ControlBar
from addersesr_app.views.train_list import RunList
from addersesr_app.views.train_missing import MissingView, torch_is_there
from addersesr_app.views.train_result import ResultView
from addersesr_app.views.train_setup import SetupView
from addersesr_app.views.train_watch import WatchView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from addersesr_app.run_client import RunClient
    from addersesr_app.run_desk import Runs
    from addersesr_app.theme import Theme
    from engine.serve.protocol import ModelCard

REFRESH_MS = 200
SHARE = 4
"""Of the time that drawing takes, how many times as much is left for everything else."""
UNIQUE = Qt.ConnectionType.UniqueConnection
VIEWS = ("watch", "compare", "result")


class TrainPage(QWidget):
    """Shows `Runs`. ``use_wanted`` gives the id of a network that was put into the user's models and is to be used now.

    ``difference_wanted`` also what to compare it with.
    """

    use_wanted = Signal(str)
    difference_wanted = Signal(str, str)

    def __init__(self, theme: Theme, runs: Runs, models: Path, probe: Callable[[], bool] = torch_is_there) -> None:
        """``models`` is the user's folder of models; ``probe`` tells whether torch is installed."""
        super().__init__()
        self.runs, self._probe = runs, probe
        self.run: RunClient | None = None
        self.missing, self.setup = MissingView(theme), SetupView(theme, runs)
        self.list, self.banner, self.controls = RunList(theme, runs), Banner(theme), ControlBar(theme)
        self.watch, self.compare, self.result = WatchView(theme), CompareRuns(theme), ResultView(theme, runs, models)
        self.views = Segments(
            self.tr("View"), [("watch", self.tr("Watch")), ("compare", self.tr("Compare")), ("result", self.tr("Use and measure"))]
        )
        self.views.setFixedWidth(380)
        self._views = QStackedWidget()
        for view in (self.watch, self.compare, self.result):
            self._views.addWidget(view)
        shown = QWidget()
        self.controls.foot.addWidget(self.views)
        layout = column(self.controls, self._views, margins=(28, 20, 28, 20), spacing=12)
        layout.setStretch(1, 1)
        shown.setLayout(layout)
        self._right = QStackedWidget()
        for part in (self.setup, shown):
            self._right.addWidget(part)
        right = column(self.banner, self._right, spacing=0)
        right.setStretch(1, 1)
        main = QWidget()
        both = row(self.list, right, spacing=0)
        both.setStretch(1, 1)
        main.setLayout(both)
        self._whole = QStackedWidget()
        for part in (self.missing, main):
            self._whole.addWidget(part)
        self.setLayout(column(self._whole))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._connect()
        self.look_for_torch()
        self._show_first()

    def offer(self, models: Sequence[ModelCard]) -> None:
        """These models are there: to start from, to compare with."""
        self.setup.offer(models)
        self.result.offer(models)

    def look_for_torch(self) -> None:
        """Show the page, or how to add what it needs."""
        self._whole.setCurrentIndex(1 if self._probe() else 0)

    def show_setup(self) -> None:
        """Set a new run up."""
        self.run = None
        self.list.show_chosen(None)
        self._right.setCurrentIndex(0)

    def show_run(self, run: RunClient) -> None:
        """Watch a run."""
        self.run = run
        self.list.show_chosen(run)
        self._right.setCurrentIndex(1)
        if not run.model_file and self.views.value() == "result":
            self.show_view("watch")
        self.refresh()

    def show_view(self, name: str) -> None:
        """See the run in another way."""
        self.views.choose(name)
        self._views.setCurrentIndex(VIEWS.index(name))
        self.refresh()

    def refresh(self) -> None:
        """Show what is new of the run that is seen."""
        run = self.run
        if run is None or not self.isVisible():
            return
        clock = QElapsedTimer()
        clock.start()
        self.controls.show_run(run)
        self.views.button("result").setEnabled(run.model_file is not None)
        self.compare.show_run(run, self.runs.clients)
        view = self._views.currentWidget()
        if view is self.watch:
            self.watch.show_run(run, self.compare.others)
        elif view is self.result:
            self.result.show_run(run)
        self._timer.setInterval(max(REFRESH_MS, SHARE * clock.elapsed()))

    def showEvent(self, event: object) -> None:
        """Catch up with what happened unseen."""
        self.runs.rescan()
        self.refresh()

    def close_children(self) -> None:
        """End what measures or exports; runs go on."""
        self.setup.close_children()
        self.result.close_children()

    def _connect(self) -> None:
        self.missing.again.connect(self.look_for_torch)
        self.list.new_wanted.connect(self.show_setup)
        self.list.chosen.connect(self.show_run)
        self.setup.started.connect(self.show_run)
        self.views.choose("watch")
        self.views.chosen.connect(self.show_view)
        self.compare.changed.connect(self.refresh)
        self.controls.remove_wanted.connect(self._remove)
        self.result.use_wanted.connect(self.use_wanted)
        self.result.difference_wanted.connect(self.difference_wanted)
        self.result.said.connect(self.banner.say)
        self.result.failed.connect(self.banner.say_error)
        self.runs.changed.connect(lambda _: self.refresh())
        self.runs.listed.connect(self._on_listed)
        self._on_listed()

    def _show_first(self) -> None:
        """See the run that goes on, or else what was last interrupted, or else a new one."""
        clients = self.runs.clients
        going = [client for client in clients if client.going]
        broken = [client for client in clients if client.state == "interrupted"]
        first = next(iter((*going, *broken)), None)
        if first is None:
            self.show_setup()
        else:
            self.show_run(first)

    def _on_listed(self) -> None:
        for client in self.runs.clients:
            client.told.connect(self._on_told, type=UNIQUE)
            client.refused.connect(self.banner.say_error, type=UNIQUE)
        if self.run is not None and self.run not in self.runs.clients:
            self.show_setup()

    def _on_told(self) -> None:
        if self.run is not None and self.sender() is self.run and not self._timer.isActive():
            self._timer.start()

    def _remove(self) -> None:
        if self.run is not None and not self.runs.remove(self.run):
            self.banner.say_error(
                self.tr("{folder} cannot be moved to the wastebasket; it can be deleted by hand.").format(folder=self.run.folder.path)
            )
