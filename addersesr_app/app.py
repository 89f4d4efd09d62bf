"""Builds every object of the window once, hands each what it needs, and joins them. Nothing is global."""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

import resources
from addersesr_app import glance, settings
from addersesr_app.awake import Awake
from addersesr_app.crashes import Crashes
from addersesr_app.engine_client import EngineClient
from addersesr_app.glance import Glance
from addersesr_app.notices import Notices
from addersesr_app.notifier import Notifier
from addersesr_app.preferences import Preferences
from addersesr_app.queue_model import QueueModel
from addersesr_app.queue_runner import QueueRunner
from addersesr_app.session import PictureSession
from addersesr_app.speeds import Speeds
from addersesr_app.start import make_front
from addersesr_app.views.main_window import PAGES
from addersesr_app.views.queue_view import QueueView
from addersesr_app.views.upscale_page import UpscalePage
from engine.serve.protocol import Hello, Network, Ready, Survey, Surveyed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from tempfile import TemporaryDirectory

    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QWidget

    from addersesr_app.film_desk import FilmDesk
    from addersesr_app.places import Places
    from addersesr_app.queue_model import QueueJob
    from addersesr_app.start import Front
    from addersesr_app.training_room import TrainingRoom
    from addersesr_app.views.fit_panel import FitPanel
    from addersesr_app.views.models_page import ModelsPage
    from engine.events import Event
    from engine.serve.protocol import ModelCard

SAMPLE = Path(resources.__file__).parent / "sample.png"
PACKAGES = Path(__file__).parent.parent
SERVE = (sys.executable, "-m", "addersesr_app", "serve")


class Application(QObject):
    """The window and all that stands behind it."""

    models_changed = Signal()

    def __init__(
        self, app: QApplication, where: Places, theme: str | None = None, command: Sequence[str] = SERVE, front: Front | None = None
    ) -> None:
        """``theme`` overrules the settings; ``command`` starts the engine's process; ``front`` is seen already."""
        super().__init__()
        self._where = where
        self.training: TrainingRoom | None = None
        self._theme_given = theme
        self.preferences = Preferences(settings.load(where.settings), where.settings, self)
        self.theme, self.window = front or make_front(app, where, theme)
        self.theme.choose(theme or self.preferences.settings.look.theme)
        self.client = EngineClient(command, str(PACKAGES), self)
        self.session = PictureSession(self.client, self)
        self.speeds = Speeds(self.client, self)
        self.queue = QueueRunner(self.client, QueueModel(), where.journal, self)
        self.awake = Awake(self)
        self.crashes = Crashes(self.theme, self.window, self.client, where.log, self)
        self.notifier = Notifier(self.theme.icon("addersesr", "accent", 64), self)
        self.queue_view = QueueView(self.theme, self.queue)
        self.upscale_page = UpscalePage(self.theme, self.session, self.speeds, self.preferences, self.window.empty, self.queue_view)
        self.upscale_page.sizes_waiting = lambda: [job.size for job in self.queue.model.jobs if job.state == "waiting"]
        self.queue.spending.watts = lambda: self.upscale_page.costs.watts
        self.fit: FitPanel | None = None
        self.films: FilmDesk | None = None
        self._pasted: TemporaryDirectory[str] | None = None
        self._models: tuple[ModelCard, ...] = ()
        self._given: list[str] = []
        self._connect()
        makers = (lambda: self.upscale_page, self._train_page, self._models_page, self._settings_page)
        self.window.furnish(dict(zip(PAGES, makers, strict=True)))

    def start(self, files: Sequence[Path] = (), page: str = "upscale") -> None:
        """Start the engine, show the window, open the first of ``files``."""
        self.crashes.watch()
        self.client.start()
        self.client.ask(Hello, self._on_ready)
        left = self.queue.restore()
        if left:
            self.upscale_page.banner.say(self.tr("{count} jobs from last time wait in the queue.").format(count=left))
        self.window.show_page(page)
        self.window.show()
        if files:
            self.open(files)

    def open(self, files: Sequence[Path]) -> None:
        """Open a picture that a person gave; of several, or of a folder, make a queue."""
        paths = [str(file.absolute()) for file in files]
        several = len(files) > 1 or files[0].is_dir()
        first = next((path for path, file in zip(paths, files, strict=True) if not file.is_dir()), None)
        if first is not None:
            self.session.open(first, whole=not several)
        if several:
            self._given += paths
            self._queue_given()

    def _queue_given(self) -> None:
        """Queue what was given, as soon as there is a network to do it with."""
        network = self.upscale_page.network_for_many()
        if network is not None and self._given:
            self.queue.add(self._given, network, self.upscale_page.inspector.output.rules())
            self._given = []

    def close(self) -> None:
        """Let go of everything that outlives a window."""
        size = self.window.size()
        glance.save(Glance(self.preferences.settings.look.theme, size.width(), size.height()), self._where.glance)
        self.preferences.save()
        self.crashes.close()
        self.awake.set_held(False)
        self.queue.close()
        if self.training is not None:
            self.training.close()
        if self.fit is not None:
            self.fit.stop()
        self.upscale_page.view.show_picture(None, 1)
        self.session.close()
        self.client.close()
        if self._pasted is not None:
            self._pasted.cleanup()

    def _connect(self) -> None:
        window, page = self.window, self.upscale_page
        window.files_given.connect(self.open)
        window.image_given.connect(self._open_image)
        window.closed.connect(self.close)
        page.open_wanted.connect(window.ask_for_files)
        page.sample_wanted.connect(lambda: self.open([SAMPLE]))
        self.preferences.changed.connect(self._setting_changed)
        self.queue_view.open_wanted.connect(lambda path: self.session.open(path, whole=False))
        self.queue_view.fit_wanted.connect(self._fit_to_jobs)
        self.queue.changed.connect(lambda: self.awake.set_held(self.queue.running))
        self.queue.ended.connect(self._queue_ended)
        self.session.opened.connect(self._offer_film)
        for signal in (self.session.opened, self.session.state_changed):
            signal.connect(self._offer_fitting)
        Notices(self.session, self.queue, page, self)
        self.client.went_down.connect(self._engine_down)
        self.client.gave_up.connect(page.banner.say_error)

    def _engine_down(self, text: str) -> None:
        """Say that the engine's process died, with what it wrote a click away."""
        self.upscale_page.banner.say_error(text, self.tr("Details…"), lambda: self.crashes.show_engine(text))

    def _on_ready(self, event: Event) -> None:
        if isinstance(event, Ready):
            self._models = event.models
            self.upscale_page.offer(event.models)
            self.upscale_page.costs.know(event.power, event.models)
            self.models_changed.emit()
            self._queue_given()

    def _train_page(self) -> QWidget:
        from addersesr_app.training_room import TrainingRoom  # noqa: PLC0415 (pages but the first are loaded when they are wanted)

        self.training = room = TrainingRoom(self.theme, self._where, self.window, SERVE[:-1], str(PACKAGES), self)
        room.page.use_wanted.connect(self._use_trained)
        room.page.difference_wanted.connect(self._show_difference)
        room.page.offer(self._models)
        self.models_changed.connect(lambda: room.page.offer(self._models))
        return room.page

    def _offer_film(self) -> None:
        """Offer what can be done with a film, once there is one."""
        if self.films is None and self.session.film is not None:
            from addersesr_app.film_desk import FilmDesk  # noqa: PLC0415 (most people open pictures, and starting is to be quick)

            self.films = FilmDesk(self.theme, self.client, self.session, self.upscale_page, self.queue)
            self.films.show_film()

    def _offer_fitting(self) -> None:
        """Offer to fit the network to the picture that is open, where there is torch to do it with."""
        if self.fit is None and self.session.path:
            from addersesr_app.views.train_missing import torch_is_there  # noqa: PLC0415 (not before there is a picture)

            if torch_is_there():
                self.fit = self._fit_panel()
        if self.fit is not None:
            self.fit.show_picture(self.session.path, self.session.card)

    def _fit_to_jobs(self, jobs: Sequence[QueueJob]) -> None:
        """Fit the network that these jobs of the queue are to be done with to what they are about."""
        card = next((card for card in self._models if card.id == jobs[0].network.model), None)
        self.fit = self._fit_panel()
        if card is None:
            self.upscale_page.banner.say_error(self.tr("{model} is not there any more.").format(model=jobs[0].network.model))
        elif self.fit.busy:
            self.upscale_page.banner.say_error(self.tr("A network is being fitted already: keep it, discard it or cancel first."))
        else:
            self.fit.fit_to([Path(job.path) for job in jobs], card)

    def _use_fitted(self, identity: str, fitted_to: Sequence[str]) -> None:
        """Use a network that was kept, also for the jobs that it was fitted to."""
        self._use_trained(identity)
        self.queue.use(identity, [job for job in self.queue.model.jobs if job.path in fitted_to])

    def _fit_panel(self) -> FitPanel:
        if self.fit is not None:
            return self.fit
        from addersesr_app.child import Child  # noqa: PLC0415
        from addersesr_app.views.fit_panel import FitPanel  # noqa: PLC0415

        panel = FitPanel(self.theme, Child(SERVE[:-1], str(PACKAGES), self), self._where.user_models)
        panel.kept.connect(self._use_fitted)
        self.upscale_page.inspector.add_below_network(panel)
        return panel

    def _use_trained(self, identity: str) -> None:
        """Look for models again, there is a new one, and use it."""

        def use(event: Event) -> None:
            self._on_ready(event)
            self._use_model(identity)

        self.client.ask(Hello, use)

    def _show_difference(self, identity: str, other: str) -> None:
        """Use a new network and show where it differs from another, on the open picture or on the sample."""
        self._use_trained(identity)
        self.upscale_page.show_difference(other)
        if not self.session.path:
            self.open([SAMPLE])

    def _models_page(self) -> QWidget:
        from addersesr_app.child import Child  # noqa: PLC0415
        from addersesr_app.views.models_page import ModelsPage  # noqa: PLC0415

        page = ModelsPage(self.theme, Child(SERVE[:-1], str(PACKAGES), self), self._where.user_models)
        page.use_wanted.connect(self._use_model)
        page.tools.changed.connect(lambda: self.client.ask(Hello, self._on_ready))
        page.tools.compare_wanted.connect(self._compare)
        self._offer_models(page)
        self.speeds.learnt.connect(lambda: self._show_times(page))
        self.models_changed.connect(lambda: self._offer_models(page))
        return page

    def _offer_models(self, page: ModelsPage) -> None:
        page.offer(self._models, self.preferences.settings.engine.model)
        self._show_times(page)

    def _show_times(self, page: ModelsPage) -> None:
        """Show how long each model takes here, as far as that is known, and have the others timed."""
        engine = self.preferences.settings.engine
        for card in self._models:
            network = Network(card.id, engine.backend, engine.device, card.precisions[0], engine.threads or None)
            self.speeds.learn(network)
            page.show_time(card.id, self.speeds.predict(network, prod(page.size_shown)))

    def _settings_page(self) -> QWidget:
        from addersesr_app.views.settings_page import SettingsPage  # noqa: PLC0415

        page = SettingsPage(self.theme, self.preferences)

        def show(event: Event) -> None:
            if isinstance(event, Surveyed):
                page.show_backends(event.backends)

        self.client.ask(Survey, show)
        return page

    def _use_model(self, identity: str) -> None:
        self.upscale_page.inspector.network.pick(identity)
        self.window.show_page("upscale")

    def _queue_ended(self) -> None:
        """Say what became of the queue, and ask for a look."""
        done, failed = self.queue.model.outcome()
        texts = [self.tr("The queue is through: {count} done").format(count=done)]
        texts += [self.tr("{count} failed").format(count=failed)] if failed else []
        text = ", ".join(texts) + "."
        self.upscale_page.banner.say_error(text) if failed else self.upscale_page.banner.say(text)
        QApplication.alert(self.window)
        if self.window.isMinimized() or not self.window.isActiveWindow():
            self.notifier.tell("AdderSESR", text)

    def _compare(self, identity: str, other: str) -> None:
        """See a network beside another one, on the open picture or on the sample."""
        self._use_model(identity)
        self.upscale_page.show_left(other)
        if not self.session.path:
            self.open([SAMPLE])

    def _setting_changed(self, group: str) -> None:
        if group == "look" and self._theme_given is None:
            self.theme.choose(self.preferences.settings.look.theme)
        if group == "engine":
            self.upscale_page.engine_changed()
            self.models_changed.emit()

    def _open_image(self, image: QImage) -> None:
        """Open a pasted picture, by way of a file of its own."""
        if self._pasted is None:
            from tempfile import TemporaryDirectory  # noqa: PLC0415 (few paste, and starting is to be quick)

            self._pasted = TemporaryDirectory(prefix="addersesr-")
        number = len(list(Path(self._pasted.name).iterdir())) + 1
        path = Path(self._pasted.name) / f"pasted-{number}.png"
        image.save(str(path))
        self.session.open(str(path))
