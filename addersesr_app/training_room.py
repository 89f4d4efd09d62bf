"""The training page with what stands behind it, and what is asked when the window closes while a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from addersesr_app.run_desk import Runs
from addersesr_app.views.train_closing import ClosingDialog
from addersesr_app.views.train_page import TrainPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.places import Places
    from addersesr_app.theme import Theme
    from addersesr_app.views.main_window import MainWindow


class TrainingRoom(QObject):
    """Made when the training page is first seen."""

    def __init__(self, theme: Theme, where: Places, window: MainWindow, program: Sequence[str], directory: str, parent: QObject) -> None:
        """``program`` is what stands before a sub-command; it is started in ``directory``."""
        super().__init__(parent)
        self._theme, self._window = theme, window
        self.runs = Runs(where.runs, program, directory, self)
        self.page = TrainPage(theme, self.runs, where.user_models)
        self.dialog: ClosingDialog | None = None
        self._decided = False
        window.may_close = self.may_close

    def may_close(self) -> bool:
        """Whether the window may close now; where a run goes on, a person is asked and the window closes afterwards."""
        if self._decided or not self.runs.going:
            return True
        if self.dialog is None:
            self.dialog = ClosingDialog(self._theme, [run.name for run in self.runs.going], self._window)
            self.dialog.decided.connect(self._close)
        self.dialog.open()
        return False

    def close(self) -> None:
        """Let go of the runs and end what only the page needs."""
        self.page.close_children()
        self.runs.close()

    def _close(self, stop: bool) -> None:
        if stop:
            for run in self.runs.going:
                run.stop_and_wait()
        self._decided = True
        self._window.close()
