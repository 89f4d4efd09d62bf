"""What a training run tells: one line each in its ``events.jsonl`` and on standard output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.events import Event

if TYPE_CHECKING:
    from engine.events import Energy

ProblemKind = Literal["unusable", "wrong scale", "too small", "duplicate", "overlap", "benchmark"]


@dataclass(frozen=True, slots=True)
class Problem(Event):
    """A picture that is left out of training, and why."""

    name = "problem"
    file: str
    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """The data were looked through: pictures to train on, held out for validation, and left out."""

    name = "checked"
    pictures: int
    validation: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Begun(Event):
    """Training starts, or goes on, behind ``step`` of ``steps``. ``bicubic_db`` is what the validation pictures score without a network.

    Before the step ``turning_until`` (0: none) adder layers are still turning from convolutions, and score less than at the run's end.
    """

    name = "begun"
    model: str
    step: int
    steps: int
    pictures: int
    parameters: int
    device: str
    bicubic_db: float | None
    turning_until: int = 0


@dataclass(frozen=True, slots=True)
class Revived(Event):
    """Before its first step a network got back the nonlinearity of so many of its body's ``channels`` (`training.revival`)."""

    name = "revived"
    revived: int
    channels: int


@dataclass(frozen=True, slots=True)
class Imitated(Event):
    """Before its first step an adder network learns to give its convolution twin's feature maps: ``done`` of ``steps``.

    ``loss`` is their squared error over their variance, the mean over layers: 1 is what doing nothing scores.
    """

    name = "imitated"
    done: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True)
class Step(Event):
    """Steps were taken. ``loss`` is the mean since the last such event; ``seconds`` and ``energy`` are the run's, without pauses."""

    name = "step"
    step: int
    steps: int
    loss: float
    rate: float
    steps_per_second: float
    eta_s: float
    seconds: float
    energy: Energy


@dataclass(frozen=True, slots=True)
class Validated(Event):
    """The averaged weights were scored on whole validation pictures, by the published protocol."""

    name = "validated"
    step: int
    psnr: float
    ssim: float
    best: bool


@dataclass(frozen=True, slots=True)
class Sample(Event):
    """A picture of the network's work at ``step`` was stored at ``file``, relative to the run's folder."""

    name = "sample"
    step: int
    file: str


@dataclass(frozen=True, slots=True)
class Saved(Event):
    """A checkpoint or model was stored at ``file``, relative to the run's folder."""

    name = "saved"
    step: int
    file: str


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The run waits and uses no processor."""

    name = "paused"
    step: int


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The run goes on after a pause."""

    name = "resumed"
    step: int


@dataclass(frozen=True, slots=True)
class Changed(Event):
    """The remaining schedule is another one: it ends at ``steps`` and its highest rate is ``rate``."""

    name = "changed"
    step: int
    steps: int
    rate: float


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The run is over; ``reason`` is ``done`` or ``stopped``. ``file`` is the best network, ready for the engine."""

    name = "finished"
    step: int
    reason: Literal["done", "stopped"]
    psnr: float | None
    file: str


@dataclass(frozen=True, slots=True)
class TrainingFailed(Event):
    """The run broke off. ``checkpoint`` is the last good one, None if there is none yet."""

    name = "failed"
    error: str
    message: str
    step: int | None = None
    rate: float | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Fitted(Event):
    """A network was fitted to somebody's own material. dB on the held-out part; ``file`` is None where nothing was gained."""

    name = "fitted"
    before_db: float
    after_db: float
    file: str | None


def as_text(event: Event) -> str | None:
    """An event as a line for people; None for what they need not read."""
    words = {
        "problem": "left out: {file}: {message}",
        "checked": "{pictures} pictures to train on, {validation} to choose by, {left_out} left out",
        "begun": "training {model} on {device}: step {step} of {steps}",
        "revived": "{revived} of {channels} channels had become linear and begin anew",
        "imitated": "imitating the start's layers: {done}/{steps}  error {loss:.3f}",
        "step": "step {step}/{steps}  loss {loss:.5f}  rate {rate:.2e}  {steps_per_second:.1f} steps/s  {eta_s:.0f} s left",
        "validated": "step {step}  PSNR {psnr:.3f} dB  SSIM {ssim:.4f}",
        "paused": "paused at step {step}",
        "resumed": "going on at step {step}",
        "changed": "the schedule now ends at step {steps}, rate {rate:.2e}",
        "finished": "{reason} at step {step}: {file}",
        "failed": "{message}",
        "measured": "{step_seconds:.3f} s a step on {device}",
        "fitted": "held-out part: {before_db:.2f} dB before, {after_db:.2f} dB after",
    }
    values: dict[str, Any] = event.to_dict()
    template = words.get(event.name)
    return template.format(**values) if template else None
