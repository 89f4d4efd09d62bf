"""What can be set once for all: the look, what upscales, and where results go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFileDialog, QGridLayout, QLineEdit, QScrollArea, QWidget

from addersesr_app.views.controls import Button, Card, Segments, column, label, row
from addersesr_app.views.output_panel import format_box, spin_box
from engine.errors import UsageError
from engine.naming import DEFAULT_TEMPLATE, check_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from addersesr_app.preferences import Preferences
    from addersesr_app.theme import Theme
    from engine.serve.protocol import BackendCard

WIDTH = 760


class SettingsPage(QWidget):
    """Every control shows a setting and changes it at once."""

    def __init__(self, theme: Theme, preferences: Preferences) -> None:
        super().__init__()
        self._theme, self._preferences = theme, preferences
        self._backends = label(self.tr("Looking for back ends…"), "small", wrap=True)
        self._device = QComboBox()
        self._device.setToolTip(self.tr("A device that fails is replaced by the processor, and that is said."))
        self._device.activated.connect(lambda _: preferences.change("engine", device=str(self._device.currentData())))
        holder = QWidget()
        holder.setMaximumWidth(WIDTH)
        holder.setLayout(
            column(label(self.tr("Settings"), "title"), 4, self._look_card(), self._engine_card(), self._saving_card(), -1, spacing=14)
        )
        body = QWidget()
        outer = row(holder, margins=(32, 28, 32, 28))
        outer.setAlignment(Qt.AlignmentFlag.AlignLeft)
        outer.setStretch(0, 1)
        body.setLayout(outer)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(body)
        self.setLayout(column(scroll))

    def show_backends(self, cards: Sequence[BackendCard]) -> None:
        """Say which back ends were found, and why others were not."""
        lines = [
            self.tr("{name} {version} on {devices}").format(name=card.name, version=card.version, devices=", ".join(card.devices))
            if card.usable
            else self.tr("{name}: not available ({problem})").format(name=card.name, problem=card.problem)
            for card in cards
        ]
        lines += [card.note for card in cards if card.note]
        self._backends.setText("\n".join(lines))
        self._offer_devices(sorted({device for card in cards for device in card.devices}))

    def _offer_devices(self, found: Sequence[str]) -> None:
        """Offer the devices of all back ends, and the one that was chosen before even where it is gone."""
        chosen = self._preferences.settings.engine.device
        self._device.clear()
        self._device.addItem(self.tr("Automatic"), "auto")
        for name in found if chosen in ("auto", *found) else (*found, chosen):
            self._device.addItem(name if name in found else self.tr("{device} (not found)").format(device=name), name)
        self._device.setCurrentIndex(max(self._device.findData(chosen), 0))

    def _look_card(self) -> Card:
        theme = Segments(self.tr("Colours"), [("auto", self.tr("Automatic")), ("light", self.tr("Light")), ("dark", self.tr("Dark"))])
        theme.choose(self._preferences.settings.look.theme)
        theme.chosen.connect(lambda value: self._preferences.change("look", theme=value))
        return _card(self.tr("Look"), [(self.tr("Colours"), theme)])

    def _engine_card(self) -> Card:
        engine = self._preferences.settings.engine
        backend = QComboBox()
        for value, text in (("auto", self.tr("Automatic")), ("native", "Native (Halide)"), ("onnx", "ONNX Runtime"), ("torch", "PyTorch")):
            backend.addItem(text, value)
        backend.setCurrentIndex(max(backend.findData(engine.backend), 0))
        backend.activated.connect(lambda _: self._preferences.change("engine", backend=str(backend.currentData())))
        threads = spin_box(0, os.cpu_count() or 1)
        threads.setSpecialValueText(self.tr("Automatic"))
        threads.setValue(engine.threads)
        threads.valueChanged.connect(lambda value: self._preferences.change("engine", threads=value))
        at_once = QCheckBox(self.tr("Upscale a picture as soon as it is opened"))
        at_once.setChecked(engine.at_once)
        at_once.toggled.connect(lambda value: self._preferences.change("engine", at_once=value))
        suited = QCheckBox(self.tr("Take the network that suits a picture's compression"))
        suited.setToolTip(
            self.tr("JPEG files and films that have lost something get the network that was trained on such, where there is one.")
        )
        suited.setChecked(engine.suited)
        suited.toggled.connect(lambda value: self._preferences.change("engine", suited=value))
        watts = QDoubleSpinBox()
        watts.lineEdit().setTextMargins(8, 0, 0, 0)
        watts.setRange(0, 2000)
        watts.setDecimals(1)
        watts.setSuffix(" W")
        watts.setSpecialValueText(self.tr("As calibrated, else unknown"))
        watts.setToolTip(self.tr("What a plug-in meter shows while the computer upscales: energy is estimated with it."))
        watts.setValue(engine.watts)
        watts.valueChanged.connect(lambda value: self._preferences.change("engine", watts=value))
        self._offer_devices(())
        rows = [(self.tr("Back end"), backend), (self.tr("Device"), self._device), ("", self._backends), (self.tr("Threads"), threads)]
        rows += [(self.tr("Power under load"), watts)]
        rows += [("", at_once), ("", suited)]
        return _card(self.tr("Engine"), rows)

    def _folder_box(self, folder: str) -> tuple[QLineEdit, QWidget]:
        """Where results go: the line for the folder, and it with a button."""
        line = QLineEdit(folder)
        line.setPlaceholderText(self.tr("Beside the source"))
        line.editingFinished.connect(lambda: self._preferences.change("saving", folder=line.text().strip()))
        line.setAccessibleName(self.tr("Folder for results"))
        choose = Button(self._theme, self.tr("Choose…"))
        choose.clicked.connect(lambda: self._choose_folder(line))
        both = QWidget()
        both.setLayout(row(line, choose))
        return line, both

    def _choice(self, key: str, text: str) -> QCheckBox:
        """A box for a setting of saving that is on or off, which follows what changes it elsewhere."""
        box = QCheckBox(text)
        box.setChecked(getattr(self._preferences.settings.saving, key))
        box.toggled.connect(lambda value: self._preferences.change("saving", **{key: value}))
        self._preferences.changed.connect(lambda _group: box.setChecked(getattr(self._preferences.settings.saving, key)))
        return box

    def _saving_card(self) -> Card:
        saving = self._preferences.settings.saving
        folder, where = self._folder_box(saving.folder)
        template = QLineEdit(saving.template)
        template.setPlaceholderText(DEFAULT_TEMPLATE)
        self._example = label("", "small", wrap=True)
        template.textChanged.connect(self._template_changed)
        kind = format_box(saving.extension, self.tr("As the source"))
        kind.activated.connect(lambda _: self._preferences.change("saving", extension=str(kind.currentData())))
        quality = spin_box(1, 100)
        quality.setValue(saving.quality)
        quality.setToolTip(self.tr("For JPEG, WebP and AVIF"))
        quality.valueChanged.connect(lambda value: self._preferences.change("saving", quality=value))
        existing = Segments(
            self.tr("Name taken"), [("rename", self.tr("Number it")), ("overwrite", self.tr("Replace")), ("skip", self.tr("Skip"))]
        )
        existing.choose(saving.existing)
        existing.chosen.connect(lambda value: self._preferences.change("saving", existing=value))
        metadata = self._choice("metadata", self.tr("Keep what the picture says of itself (EXIF, XMP)"))
        metadata.setToolTip(self.tr("The date, the camera, the place. Colour profiles are kept anyway."))
        provenance = self._choice("provenance", self.tr("Note in a result how it was made"))
        provenance.setToolTip(self.tr("The network, its settings, and a checksum of the source, in the XMP: it can be made again exactly"))
        self._template_changed(saving.template)

        def follow(group: str) -> None:
            """Show what a preset, or another page, has changed."""
            if group == "saving":
                now = self._preferences.settings.saving
                for field, text in ((folder, now.folder), (template, now.template)):
                    if not field.hasFocus():
                        field.setText(text)
                kind.setCurrentIndex(max(kind.findData(now.extension), 0))
                quality.setValue(now.quality)
                existing.choose(now.existing)

        self._preferences.changed.connect(follow)
        return _card(
            self.tr("Results"),
            [
                (self.tr("Folder"), where),
                (self.tr("Name"), template),
                ("", self._example),
                (self.tr("Format"), kind),
                (self.tr("Quality"), quality),
                (self.tr("If the name is taken"), existing),
                ("", metadata),
                ("", provenance),
            ],
        )

    def _choose_folder(self, field: QLineEdit) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder for results"), field.text())
        if chosen:
            field.setText(chosen)
            self._preferences.change("saving", folder=chosen)

    def _template_changed(self, template: str) -> None:
        """Show what the template makes of a name, and keep it where it makes one."""
        try:
            check_template(template or DEFAULT_TEMPLATE)
        except UsageError as error:
            self._example.setText(str(error).removeprefix("--name "))
            return
        values = {"stem": "holiday", "scale": "2", "model": "sesr-m5-x2", "precision": "fp32", "extension": "jpg", "folder": "photos"}
        self._example.setText(self.tr("holiday.jpg becomes {name}.jpg").format(name=(template or DEFAULT_TEMPLATE).format_map(values)))
        self._preferences.change("saving", template=template.strip())


def _card(title: str, rows: Sequence[tuple[str, QWidget]]) -> Card:
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(10)
    grid.setColumnMinimumWidth(0, 150)
    grid.setColumnStretch(1, 1)
    for line, (text, widget) in enumerate(rows):
        if text:
            widget.setAccessibleName(widget.accessibleName() or text)
            grid.addWidget(label(text), line, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(widget, line, 1)
    return Card(label(title, "heading"), 4, grid, margin=20)
