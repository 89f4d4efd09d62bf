"""A training run from its first step to its model, told as events. `training.folder` says where it leaves what."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Literal

import torch

from engine.errors import Cancelled, TrainingError
from engine.events import Energy
from engine.storing import aside
from engine.weights import read as read_model
from engine.weights import write as write_model
from training import checkpoint, events
from training.checkpoint import Checkpoint, Progress
from training.control import Orders
from training.data import Patches, as_unit
from training.imitation import imitate
from training.loop import Trainer
from training.meter import Meter, Spent, step_energy_mj
from training.models import find_model
from training.network import SESR, TURNED, AdderSESR
from training.networks import frozen, make_network, to_model
from training.revival import revive
from training.validate import Samples, averaged, bicubic_upscale, centre, runner, score

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engine.events import Event
    from training.control import Control
    from training.distributed import Processes
    from training.folder import RunFolder
    from training.material import Material
    from training.network import Network
    from training.settings import Settings

STATISTICS_BATCHES = 8
"""Batches over which an adder network's normalisation is recomputed before it is scored or stored."""
STATISTICS_STEP = 1 << 40
"""Their place in the sequence of batches: far beyond any training step."""
COLLAPSE_SIDE = 64
"""Side in low-resolution pixels of what a stored model's collapse is measured on."""
IMITATION_STEP = 1 << 41
IMITATION_RATE = 4e-2


@dataclass(frozen=True)
class Place:
    """Where a run happens: its folder, its device, the processes that share the work, and who gives it orders."""

    folder: RunFolder
    device: torch.device
    processes: Processes
    control: Control


class Run:
    """One run. ``start`` is the checkpoint to go on from, None for a new run."""

    def __init__(self, place: Place, settings: Settings, material: Material, start: Checkpoint | None = None) -> None:
        self.settings = settings
        self._place = place
        self._material = material
        patch = settings.hr_patch // settings.scale
        self._patches = Patches(material.train, settings.scale, patch, settings.batch_size, settings.seed, settings.equal_pictures)
        self._network = make_network(settings, self._known_batches()).to(place.device)
        teacher = frozen(find_model(settings.teacher)).to(place.device) if settings.teacher else None
        self.trainer = Trainer(settings.train_config(material.pictures), self._network, self._patches, teacher, place.processes)
        self._progress = start.progress if start else Progress()
        self._losses = list(self._progress.losses)
        self._meter = Meter(Spent(self._progress.seconds, self._progress.estimated_mj, self._progress.measured_mj))
        self._samples = Samples(place.folder, settings, material.validation) if place.processes.first else None
        self._validated = -1
        self._resumed = start is not None
        if start:
            self.trainer.load_state(start.trainer)

    def train(self) -> Iterator[Event]:
        """Train to the end.

        Raises NotFiniteError, and Cancelled when told to break off; either way there is a checkpoint to go on from.
        """
        trainer, stopped = self.trainer, False
        if trainer.step >= trainer.config.steps:
            raise TrainingError(f"{self._place.folder.path}: this run is finished; to extend it, give --steps above {trainer.step}")
        yield self._begun()
        if not self._resumed:
            yield from self._revive()
            stopped = yield from self._imitate_twin()
            yield from self._save()
        while not stopped and trainer.step < trainer.config.steps:
            stopped = yield from self._obey()
            if not stopped:
                self._losses.append(trainer.advance())
                yield from self._after_step()
        yield from self._finish("stopped" if stopped else "done")

    def _revive(self) -> Iterator[Event]:
        """Give channels of a start that have become linear their nonlinearity back."""
        if not (self.settings.revive and self.settings.start):
            return
        assert isinstance(self._network, SESR)
        revived = revive(self._network, self._statistics_batches())
        self.trainer.restart_average()
        yield events.Revived(revived, self.settings.spec.m * self.settings.spec.f)

    def _imitate_twin(self) -> Generator[Event, None, bool]:
        """Give an adder network that starts from its convolution twin a body, layer by layer; whether to stop.

        There is no checkpoint before its end: a run that is broken off here begins anew.
        """
        settings, network = self.settings, self._network
        if not (settings.imitate and settings.start and isinstance(network, AdderSESR)):
            return False
        model = find_model(settings.start)
        if model.spec.block == "adder":
            return False
        twin = frozen(model).to(self._place.device)
        assert isinstance(twin, SESR)
        batches = (torch.from_numpy(self._patches.draw(IMITATION_STEP + step)[0]).to(self._place.device) for step in count())
        stopped = False
        for done, loss in enumerate(imitate(network, twin, batches, steps=settings.imitate, rate=IMITATION_RATE), 1):
            if done % settings.log_every == 0 or done == settings.imitate:
                yield events.Imitated(done, settings.imitate, loss)
            stopped = yield from self._obey(keep=False)
            if stopped:
                break
        self.trainer.restart_average()
        return stopped

    def _after_step(self) -> Iterator[Event]:
        step, settings = self.trainer.step, self.settings
        last = step == self.trainer.config.steps
        self._place.control.report(step, self.trainer.config.steps)
        if last or step % settings.log_every == 0:
            yield self._step_event()
        if last or step % settings.validate_every == 0:
            yield from self._validate()
        if last or step % settings.save_every == 0:
            yield from self._save()
        if settings.keep_every and step % settings.keep_every == 0:
            yield self._store(self._place.folder.kept(step))

    def _begun(self) -> events.Begun:
        config, pairs = self.trainer.config, self._material.validation
        bicubic = score(bicubic_upscale(config.spec.scale), pairs, config.spec.scale).psnr if pairs else None
        return events.Begun(
            model=self.settings.name,
            step=self.trainer.step,
            steps=config.steps,
            pictures=self._material.pictures,
            parameters=config.spec.parameters,
            device=str(self._place.device),
            bicubic_db=bicubic,
            turning_until=round(TURNED * config.steps) if isinstance(self._network, AdderSESR) and self._network.adder.turns else 0,
        )

    def _step_event(self) -> events.Step:
        config, spent, step = self.trainer.config, self._meter.spent(), self.trainer.step
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        speed = self._meter.steps_per_second(step)
        return events.Step(
            step=step,
            steps=config.steps,
            loss=mean,
            rate=self.trainer.rate,
            steps_per_second=speed,
            eta_s=(config.steps - step) / (speed or step / max(spent.seconds, 1e-9)),
            seconds=spent.seconds,
            energy=Energy(step * step_energy_mj(config), spent.estimated_mj, spent.measured_mj),
        )

    def _obey(self, *, keep: bool = True) -> Generator[Event, None, bool]:
        """Do what was ordered since the last step; whether to stop. Waits while paused; ``keep``: with a checkpoint. Raises Cancelled."""
        control = self._place.control
        if control.paused:
            if keep:
                yield from self._save()
            yield events.Paused(self.trainer.step)
            self._meter.stop()
            control.wait()
            self._meter.start()
            yield events.Resumed(self.trainer.step)
        orders = self._agreed(control.take())
        if orders.interrupt:
            if keep:
                yield from self._save()
            raise Cancelled(f"interrupted at step {self.trainer.step}; go on with --resume")
        if orders.steps is not None or orders.rate is not None:
            yield self._change(orders)
            if keep:
                yield from self._save()
        return orders.stop

    def _agreed(self, orders: Orders) -> Orders:
        """The first process's orders, for all."""
        if self._place.processes.count == 1:
            return orders
        return Orders(**json.loads(self._place.processes.agree(json.dumps(asdict(orders)))))

    def _change(self, orders: Orders) -> events.Changed:
        """Take over a new total of steps or a new rate for what remains."""
        steps = orders.steps if orders.steps is not None else self.trainer.config.steps
        rate = orders.rate if orders.rate is not None else self.settings.learning_rate
        self.settings = replace(self.settings, epochs=0, steps=max(steps, self.trainer.step), learning_rate=rate)
        self.trainer.config = self.settings.train_config(self._material.pictures)
        if self._place.processes.first:
            self._place.folder.store(self.settings)
        return events.Changed(self.trainer.step, self.settings.steps, rate)

    def _validate(self) -> Iterator[Event]:
        """Score the averaged weights; keep them as a model where they are the best so far."""
        network, step, scale = self._averaged(), self.trainer.step, self.settings.scale
        self._validated = step
        if not self._place.processes.first or not self._material.validation:
            return
        upscale = runner(network)
        result = score(upscale, self._material.validation, scale)
        best = self._progress.best_db is None or result.psnr > self._progress.best_db
        yield events.Validated(step, result.psnr, result.ssim, best)
        assert self._samples is not None
        yield events.Sample(step, self._samples.store(upscale, step))
        if best:
            self._progress = replace(self._progress, best_db=result.psnr, best_step=step)
            yield self._store(self._place.folder.best)
            yield self._store_model(network)

    def _save(self) -> Iterator[Event]:
        """The checkpoint to go on from; without validation pictures the model too."""
        yield self._store(self._place.folder.last)
        if not self._material.validation and self.trainer.step:
            yield self._store_model(self._averaged())

    def _store(self, file: Path) -> events.Saved:
        self.trainer.check_finite()
        if self._place.processes.first:
            spent = self._meter.spent()
            progress = replace(
                self._progress,
                losses=tuple(self._losses),
                seconds=spent.seconds,
                estimated_mj=spent.estimated_mj,
                measured_mj=spent.measured_mj,
            )
            checkpoint.write(Checkpoint(self.settings.to_toml(), self.trainer.state(), progress), file)
        return events.Saved(self.trainer.step, self._place.folder.relative(file))

    def _store_model(self, network: Network) -> events.Saved:
        file = self._place.folder.model(self.settings.name)
        if self._place.processes.first:
            write_model(to_model(network, self.settings, self._progress, self.trainer.step, self._unseen()), file)
        return events.Saved(self.trainer.step, self._place.folder.relative(file))

    def _unseen(self) -> NDArray[np.float32]:
        """Luma (H, W) in [0, 1]: the middle of the first validation picture, or of a training patch where there is none."""
        if self._material.validation:
            return as_unit(centre(self._material.validation[0], self.settings.scale, COLLAPSE_SIDE).lr)
        patch: NDArray[np.float32] = self._patches.draw(STATISTICS_STEP)[0][0, 0]
        return patch

    def _store_tflite(self, model: Path) -> events.Saved:
        from engine.export import tflite  # noqa: PLC0415 - needs the flatbuffers' schema, which training does not

        file, size = model.with_suffix(".tflite"), (self.settings.tflite_width, self.settings.tflite_height)
        with aside(file, overwrite=True) as temporary:
            temporary.write_bytes(tflite.to_bytes(read_model(model), "int8", size))
        return events.Saved(self.trainer.step, self._place.folder.relative(file))

    def _finish(self, reason: Literal["done", "stopped"]) -> Iterator[Event]:
        if self._validated != self.trainer.step:
            yield from self._validate()
            yield from self._save()
        file = self._place.folder.model(self.settings.name)
        if self.settings.gen_tflite and self._place.processes.first and file.exists():
            yield self._store_tflite(file)
        yield events.Finished(self.trainer.step, reason, self._progress.best_db, self._place.folder.relative(file))

    def _averaged(self) -> Network:
        """The averaged network. All processes must ask for it together, since they share statistics."""
        batches = [batch.to(self._place.device) for batch in self._known_batches()] if self.settings.spec.block == "adder" else []
        return averaged(self._network, self.trainer.average, batches)

    def _known_batches(self) -> list[torch.Tensor]:
        """Low-resolution batches for what depends on data: an adder network's statistics, the ranges of quantised activations."""
        return self._statistics_batches() if self.settings.spec.block == "adder" or self.settings.quant_A else []

    def _statistics_batches(self) -> list[torch.Tensor]:
        return [torch.from_numpy(self._patches.draw(STATISTICS_STEP + index)[0]) for index in range(STATISTICS_BATCHES)]
