"""What a run's state is called, and what is said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from addersesr_app import numbers_shown

if TYPE_CHECKING:
    from addersesr_app.run_client import RunClient, State


def _tr(text: str) -> str:
    return QCoreApplication.translate("Training", text)


def state_name(state: State) -> str:
    """A state in a word."""
    names = {
        "queued": _tr("waiting"),
        "starting": _tr("starting"),
        "running": _tr("training"),
        "paused": _tr("paused"),
        "done": _tr("finished"),
        "stopped": _tr("stopped"),
        "failed": _tr("failed"),
        "interrupted": _tr("interrupted"),
    }
    return names[state]


def state_sentence(run: RunClient) -> str:
    """What happens, or what happened, and what can be done about it."""
    record = run.record
    sentences = {
        "queued": _tr("Waits until the run before it is over."),
        "starting": _tr("Starting: looking through the pictures and decoding them…"),
        "running": _running(run),
        "paused": _tr("Paused: it uses no processor now."),
        "done": _tr("All {step} steps are done; the best network is kept.").format(step=f"{record.step:,}"),
        "stopped": _tr("Stopped at step {step}; the best network so far is kept.").format(step=f"{record.step:,}"),
        "failed": record.message,
        "interrupted": _interrupted(run),
    }
    return sentences[run.state]


def _running(run: RunClient) -> str:
    record = run.record
    words = _tr("On {device}, {pictures} pictures.").format(device=record.device, pictures=record.pictures)
    done, steps = record.imitated
    if not record.step and done < steps:
        first = _tr("Before the first step the adder layers learn to give what the start's layers give: {done} of {steps}.")
        words += " " + first.format(done=f"{done:,}", steps=f"{steps:,}")
    elif record.step < record.turning_until:
        turning = _tr("Its layers are turning from convolutions into adder layers: until step {step} it scores less than it will.")
        words += " " + turning.format(step=f"{record.turning_until:,}")
    return words


def _interrupted(run: RunClient) -> str:
    record = run.record
    if not record.step:
        return _tr("The training ended before its first step: the process was killed, or the computer switched off.")
    lost = max(0, record.step - record.saved_step)
    return _tr(
        "The training process is gone at step {step}: it was killed, or the computer switched off. "
        "The last checkpoint is of step {saved}, so {lost} steps are lost. It can go on from there."
    ).format(step=f"{record.step:,}", saved=f"{record.saved_step:,}", lost=lost)


def energy_words(run: RunClient) -> tuple[str, str, str]:
    """(the energy so far by the best that is known, how that is known, all that is known)."""
    energy = run.record.energy
    names = {
        "measured_mj": _tr("measured"),
        "estimated_mj": _tr("estimated on this machine"),
        "arithmetic_mj": _tr("arithmetic, 45 nm"),
    }
    known = [(numbers_shown.energy(value), names[key]) for key in names if (value := energy.get(key)) is not None]
    if not known:
        return "–", _tr("so far"), ""
    return *known[0], "\n".join(f"{value} {name}" for value, name in known)
