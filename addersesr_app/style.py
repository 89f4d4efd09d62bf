"""The style sheet: one template, filled with a theme's colours. Spacing is in steps of 4 logical pixels."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHEET = Template("""
QMainWindow, QDialog { background: $ground; }
QWidget { font-size: 13px; color: $text; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 6px 8px; }

#rail { background: $surface; border-right: 1px solid $line; }
#railButton { border: none; border-radius: 10px; padding: 8px 0 6px 0; color: $muted; font-size: 11px; background: transparent; }
#railButton:hover { background: $raised; color: $text; }
#railButton:checked { background: $accent_soft; color: $accent; font-weight: 600; }
#railButton:focus { border: 2px solid $accent; }

#empty { background: $canvas; }
#dropPlace { background: transparent; border: 2px dashed $line; border-radius: 16px; }

#toolbar { background: $surface; border-bottom: 1px solid $line; }
#inspector { background: $surface; border-left: 1px solid $line; }
#queue { background: $surface; border-top: 1px solid $line; }
#inspectorFoot { background: $surface; border-top: 1px solid $line; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: 20px; font-weight: 600; }
QLabel[role="heading"] { font-size: 14px; font-weight: 600; }
QLabel[role="section"] { font-size: 11px; font-weight: 600; color: $muted; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="small"] { color: $muted; font-size: 12px; }
QLabel[role="number"] { font-size: 24px; font-weight: 600; }
QLabel[role="danger"] { color: $danger; }
QLabel[role="accent"] { color: $accent; font-weight: 600; }
QLabel[role="code"] { background: $raised; border-radius: 8px; padding: 10px 12px; font-family: monospace; }
QLabel[role="badge"] { background: $raised; color: $muted; border-radius: 8px; padding: 2px 8px; font-size: 11px; }
QLabel[role="badgeAccent"] { background: $accent_soft; color: $accent; border-radius: 8px; padding: 2px 8px; font-size: 11px;
    font-weight: 600; }

QFrame[role="card"] { background: $surface; border: 1px solid $line; border-radius: 12px; }
QFrame[role="card"][chosen="true"] { border: 1px solid $accent; }
QFrame[role="rule"] { background: $line; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="banner"] { background: $raised; border-radius: 8px; }

QPushButton { background: $raised; border: 1px solid $line; border-radius: 8px; padding: 7px 14px; min-height: 18px; }
QPushButton:hover { border-color: $muted; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $muted; background: $ground; border-color: $line; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[role="primary"]:hover { background: $accent_hover; border-color: $accent_hover; }
QPushButton[role="primary"]:focus { border: 1px solid $text; }
QPushButton[role="primary"]:disabled { background: $raised; color: $muted; border-color: $line; }
QPushButton[role="link"] { background: transparent; border: none; color: $accent; padding: 2px 0; text-align: left; }
QPushButton[role="link"]:hover { text-decoration: underline; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: 7px; padding: 5px; }
QToolButton:hover { background: $raised; }
QToolButton:pressed, QToolButton:checked { background: $raised; border-color: $line; }
QToolButton::menu-indicator { image: none; }
QToolButton:focus { border-color: $accent; }
#segments { background: $ground; border: 1px solid $line; border-radius: 9px; }
#segments QToolButton { padding: 4px 10px; border-radius: 7px; color: $muted; margin: 2px; }
#segments QToolButton:checked { background: $segment; color: $text; border-color: $line; font-weight: 600; }
#segments QToolButton:checked:disabled { color: $muted; }

QComboBox, QLineEdit, QSpinBox, QDoubleSpinBox, QPlainTextEdit { background: $ground; border: 1px solid $line; border-radius: 8px;
    padding: 6px 10px; min-height: 20px;
    selection-background-color: $accent; selection-color: $on_accent; }
QComboBox:hover, QLineEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover, QPlainTextEdit:hover { border-color: $muted; }
QComboBox:focus, QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QPlainTextEdit:focus { border-color: $accent; }
QComboBox::drop-down { border: none; width: 26px; }
QComboBox::down-arrow { image: url($chevron); width: 16px; height: 16px; }
QComboBox QAbstractItemView { background: $surface; border: 1px solid $line; border-radius: 8px; padding: 4px; outline: none;
    selection-background-color: $accent_soft; selection-color: $text; }
QAbstractSpinBox { padding: 6px 0; }
QAbstractSpinBox QLineEdit { background: transparent; border: none; padding: 0; min-height: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; }
QCheckBox { spacing: 10px; padding: 4px 0; }
QCheckBox::indicator { width: 18px; height: 18px; border: 1px solid $line; border-radius: 5px; background: $ground; }
QCheckBox::indicator:hover { border-color: $muted; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($check); }
QCheckBox:focus { color: $accent; }

QProgressBar { background: $raised; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }

QMenu { background: $surface; border: 1px solid $line; border-radius: 8px; padding: 4px; }
QMenu::item { padding: 6px 20px 6px 12px; border-radius: 6px; }
QMenu::item:selected { background: $accent_soft; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }

QSlider::groove:horizontal { background: $raised; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; height: 4px; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; }
QTableView { background: transparent; alternate-background-color: $ground; border: none; gridline-color: $line; }
QHeaderView { background: transparent; border: none; }
QHeaderView::section { background: transparent; border: none; border-bottom: 1px solid $line; padding: 6px 4px; font-weight: 600; }

QListView { background: transparent; border: none; outline: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $line; border-radius: 3px; min-height: 28px; min-width: 28px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
""")


def style_sheet(colours: Mapping[str, str], chevron: str, check: str) -> str:
    """The sheet with ``colours`` by their names, and the files of a drop-down's arrow and of a box's check mark."""
    return _SHEET.substitute(colours, chevron=chevron, check=check)
