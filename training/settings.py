"""Every setting of a training run under the name that people know it by: in a TOML file, as a flag, in the run's folder.

Names that the reference implementation has are its own (`docs/training.md` maps them). What is not given comes from the
recipe, then from the network preset, then from the defaults below.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from engine.errors import ConfigError
from engine.network import PRESETS, Block, NetworkSpec, model_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.config import TrainConfig

LinearBlock = Literal["collapsed", "expanded", "collapsed_adder"]
Degradation = Literal["none", "photo", "video"]
LossName = Literal["l1", "charbonnier", "l2", "psnr", "picture"]
ScheduleName = Literal["cosine", "constant"]
OptimiserName = Literal["soap", "adam"]
Activation = Literal["prelu", "relu"]
Augmentation = Literal["turns", "all"]

RECIPES_FOLDER = Path(__file__).parent / "recipes"
EXPANSIONS = {"m3": 256, "m5": 256, "m7": 256, "m11": 64, "xl": 64}
RECIPES: dict[str, dict[str, Any]] = {
    "ours": {"optimiser": "soap", "loss": "psnr"},
    "reference": {
        "optimiser": "adam",
        "epochs": 100,
        "patches_per_picture": 64,
        "batch_size": 32,
        "learning_rate": 2e-4,
        "schedule": "constant",
        "warm_up": 0,
        "ema": 0.0,
        "amsgrad": True,
        "adaptive": True,
        "loss": "l1",
        "equal_pictures": True,
    },
}
BY_OPTIMISER: dict[str, dict[str, Any]] = {"soap": {"feature_size": 0, "learning_rate": 1e-2}, "adam": {}}
"""What suits an optimiser, unless it is given. Adam's are the defaults below, with the expansions above."""
ADDER_RATE = 5e-3
"""What suits SOAP where layers are adders."""
HR_PATCHES = {"ours": {2: 96, 3: 144, 4: 192}, "reference": {2: 128, 3: 150, 4: 200}}


@dataclass(frozen=True, slots=True)
class Settings:
    """A run as a person describes it. Raises ConfigError, naming the setting, where a value makes no sense."""

    preset: Annotated[str, "network size: m3, m5, m7, m11 or xl"] = "m5"
    recipe: Annotated[str, "how to train: ours or reference"] = "ours"
    scale: Annotated[int, "upscaling factor: 2, 3 or 4"] = 2
    m: Annotated[int, "number of 3x3 blocks"] = 5
    int_features: Annotated[int, "channels of the collapsed network"] = 16
    feature_size: Annotated[int, "channels that a linear block expands to; 0 trains the collapsed kernel itself"] = 256
    activation: Annotated[Activation, "prelu, a slope a channel, or relu, which takes a little less time in 8 bits"] = "prelu"
    linear_block_type: Annotated[LinearBlock, "how blocks are trained, and whether they are adder layers"] = "collapsed"
    adder_expansion: Annotated[int, "channels that an adder block's kernel is expanded to in training (0: not expanded)"] = 0
    adaptive: Annotated[bool, "scale adder kernels' gradients as AdderNet does"] = False
    quant_W: Annotated[bool, "train with weights fake-quantised to 8 bits"] = False  # noqa: N815 - the reference's name
    quant_A: Annotated[bool, "train with activations fake-quantised to 8 bits"] = False  # noqa: N815 - the reference's name
    model_name: Annotated[str, "id and file name of the result (default: by its network)"] = ""
    start: Annotated[str, "model id or file whose weights to start from"] = ""
    revive: Annotated[bool, "give the start's channels that have become linear their nonlinearity back"] = False
    imitate: Annotated[int, "steps in which adder layers first learn to give a convolution start's feature maps"] = 300
    teacher: Annotated[str, "model id or file to imitate"] = ""
    distil: Annotated[float, "share of the loss that compares with the teacher, 0 to 1"] = 0.0
    data: Annotated[str, "folder of training pictures"] = ""
    val: Annotated[str, "folder of validation pictures (default: a held-out part of the data)"] = ""
    sample: Annotated[str, "picture to show the network's work on (default: the first validation picture)"] = ""
    degrade: Annotated[Degradation, "how low-resolution pictures are spoilt: none, photo or video"] = "none"
    degrade_variants: Annotated[int, "differently spoilt copies of each picture"] = 2
    augment: Annotated[
        Augmentation, "turns (and mirrors), or all: of every picture also its red and its blue, and smaller copies, for large networks"
    ] = "turns"
    cache_mb: Annotated[int, "memory for decoded pictures in MiB; what is more lies in a file"] = 4096
    hr_patch: Annotated[int, "side of the high-resolution patch in pixels (0: the recipe's)"] = 0
    epochs: Annotated[int, "passes over the pictures (0: go by steps)"] = 0
    patches_per_picture: Annotated[int, "random patches of a picture in an epoch"] = 64
    equal_pictures: Annotated[bool, "draw every picture equally often, whatever its size"] = False
    steps: Annotated[int, "optimiser steps, if epochs is 0"] = 28_000
    batch_size: Annotated[int, "patches a step, over all processes"] = 16
    optimiser: Annotated[OptimiserName, "soap, which sees a kernel as a matrix, or adam, which wants linear blocks expanded"] = "adam"
    learning_rate: Annotated[float, "the highest learning rate"] = 5e-4
    schedule: Annotated[ScheduleName, "cosine (down to zero) or constant"] = "cosine"
    warm_up: Annotated[int, "steps over which the rate rises at the start"] = 200
    ema: Annotated[float, "decay of the averaged weights; 0 turns averaging off"] = 0.999
    loss: Annotated[
        LossName, "l1, charbonnier, l2, psnr (a patch's l2, its logarithm) or picture (l2 over its picture's bicubic error)"
    ] = "l1"
    l2_from: Annotated[float, "part of the steps after which the loss becomes L2; 1: never"] = 1.0
    amsgrad: Annotated[bool, "Adam's AMSGrad variant"] = False
    clip: Annotated[float, "largest norm of the gradient; 0: no clipping"] = 0.0
    amp: Annotated[bool, "mixed precision: on CUDA, and on processors with AMX"] = False
    device: Annotated[str, "auto, cpu or cuda"] = "auto"
    threads: Annotated[int, "processor threads (0: all cores)"] = 0
    seed: Annotated[int, "seed of everything random"] = 0
    log_every: Annotated[int, "steps between step events"] = 10
    validate_every: Annotated[int, "steps between validations"] = 1000
    save_every: Annotated[int, "steps between checkpoints"] = 250
    keep_every: Annotated[int, "steps between checkpoints that are kept for good (0: none)"] = 0
    tensorboard: Annotated[bool, "also write TensorBoard logs into the run's folder"] = False
    gen_tflite: Annotated[bool, "also write an int8 TFLite file at the end"] = False
    tflite_height: Annotated[int, "input height of the TFLite file"] = 1080
    tflite_width: Annotated[int, "input width of the TFLite file"] = 1920

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(Settings).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), hint))
        self._check_choices()
        self._check_ranges()
        self._check_combinations()

    @property
    def spec(self) -> NetworkSpec:
        """The network to train."""
        block: Block = "adder" if self.linear_block_type == "collapsed_adder" else "convolution"
        return NetworkSpec(self.scale, self.m, self.int_features, block, self.activation)

    @property
    def name(self) -> str:
        """The result's id."""
        return self.model_name or model_id(self.spec)

    def total_steps(self, pictures: int) -> int:
        """Steps of the whole run over that many pictures."""
        return max(1, self.epochs * pictures * self.patches_per_picture // self.batch_size) if self.epochs else self.steps

    def train_config(self, pictures: int) -> TrainConfig:
        """What the loop needs to know."""
        from training.config import TrainConfig  # noqa: PLC0415 - brings torch, which settings alone do not need

        return TrainConfig(
            spec=self.spec,
            expansion=self.feature_size,
            form="expanded" if self.linear_block_type == "expanded" else "collapsed",
            steps=self.total_steps(pictures),
            batch=self.batch_size,
            patch=self.hr_patch // self.scale,
            rate=self.learning_rate,
            warm_up=min(self.warm_up, self.total_steps(pictures) // 10),
            ema=self.ema,
            loss=self.loss,
            amsgrad=self.amsgrad,
            clip=self.clip,
            seed=self.seed,
            schedule=self.schedule,
            l2_from=self.l2_from,
            distil=self.distil if self.teacher else 0.0,
            amp=self.amp,
            optimiser=self.optimiser,
        )

    def to_toml(self) -> str:
        """All settings as TOML that `resolve` reads back to the same."""
        return "".join(f"{name} = {_toml(value)}\n" for name, value in dataclasses.asdict(self).items())

    def _check_choices(self) -> None:
        for name, known in (("preset", PRESETS), ("recipe", RECIPES), ("scale", HR_PATCHES["ours"])):
            if (value := getattr(self, name)) not in known:
                raise ConfigError(f"{name}: {value!r} is not known; it is one of {', '.join(map(str, known))}")
        if self.device not in ("auto", "cpu") and not self.device.startswith("cuda"):
            raise ConfigError(f"device: {self.device!r} is not known; it is auto, cpu or cuda")

    def _check_ranges(self) -> None:
        may_be_zero = (
            "epochs",
            "warm_up",
            "threads",
            "seed",
            "keep_every",
            "hr_patch",
            "cache_mb",
            "adder_expansion",
            "imitate",
            "feature_size",
        )
        least = dict.fromkeys(may_be_zero, 0)
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int) and not isinstance(value, bool) and value < least.get(item.name, 1):
                raise ConfigError(f"{item.name}: must be at least {least.get(item.name, 1)}, not {value}")
        for name, low, high in (("learning_rate", 0, 1), ("ema", 0, 1), ("l2_from", 0, 1), ("distil", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name}: must lie from {low} to {high}, not {getattr(self, name)}")
        if self.learning_rate in (0, 1) or self.ema == 1:
            raise ConfigError("learning_rate must lie between 0 and 1, and ema below 1")
        if self.m > 64 or self.int_features > 256:
            raise ConfigError(f"m and int_features: at most 64 and 256, not {self.m} and {self.int_features}")

    def _check_combinations(self) -> None:
        if self.hr_patch % self.scale:
            raise ConfigError(f"hr_patch: {self.hr_patch} is not a multiple of scale {self.scale}")
        if self.linear_block_type == "expanded" and self.quant_W:
            raise ConfigError("quant_W: expanded blocks have no kernel to quantise; use linear_block_type collapsed")
        if self.linear_block_type == "expanded" and not self.feature_size:
            raise ConfigError("feature_size: expanded blocks need channels to expand to, such as 256")
        if self.amsgrad and self.optimiser != "adam":
            raise ConfigError("amsgrad: is a variant of adam; give optimiser adam")
        if self.revive and (self.linear_block_type == "collapsed_adder" or self.quant_W or self.quant_A):
            raise ConfigError("revive: is for convolution networks in float; revive the network that an adder or int8 network starts from")
        if self.revive and self.hr_patch // self.scale <= 2 * self.m + 4:
            raise ConfigError(f"revive: needs an hr_patch above {self.scale * (2 * self.m + 4)}: the borders do not count")
        if self.gen_tflite and not (self.quant_W and self.quant_A):
            raise ConfigError("gen_tflite: an int8 TFLite file needs a network trained with quant_W and quant_A")
        if self.distil and not self.teacher:
            raise ConfigError("distil: needs a teacher")
        if any(character in self.model_name for character in "/\\\0") or self.model_name.startswith("."):
            raise ConfigError(f"model_name: {self.model_name!r} cannot be a file name")


def help_of(name: str) -> str:
    """What a setting is for."""
    text: str = get_type_hints(Settings, include_extras=True)[name].__metadata__[0]
    return text


def resolve(given: Mapping[str, Any]) -> Settings:
    """Settings from those that were given: what is missing comes from the recipe, the preset and the defaults.

    Raises ConfigError for an unknown name, naming what is near.
    """
    check_names(given)
    preset, recipe = given.get("preset", "m5"), given.get("recipe", "ours")
    if preset not in PRESETS or recipe not in RECIPES:
        return Settings(preset=preset, recipe=recipe)  # which says what is wrong
    (m, features), expansion = PRESETS[preset], EXPANSIONS[preset]
    layers = {"m": m, "int_features": features, "feature_size": expansion, **RECIPES[recipe]}
    if given.get("linear_block_type") == "expanded" or given.get("feature_size"):
        layers["optimiser"] = "adam"
    optimiser = given.get("optimiser", layers["optimiser"])
    layers |= BY_OPTIMISER.get(optimiser, {})
    if optimiser == "soap" and given.get("linear_block_type") == "collapsed_adder":
        layers["learning_rate"] = ADDER_RATE
    layers |= given
    if not layers.get("hr_patch"):
        layers["hr_patch"] = HR_PATCHES[recipe].get(layers.get("scale", 2), 0)
    return Settings(**layers)


def read_toml(path: Path) -> dict[str, Any]:
    """The settings that a TOML file gives, or one of the recipes that ship by its name. Raises ConfigError."""
    shipped = RECIPES_FOLDER / f"{path}.toml"
    source = shipped if not path.exists() and shipped.is_file() else path
    try:
        given = tomllib.loads(source.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); recipes that ship: {', '.join(shipped_recipes())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    try:
        check_names(given)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return given


def shipped_recipes() -> list[str]:
    """Names of the configurations that ship."""
    return sorted(file.stem for file in RECIPES_FOLDER.glob("*.toml"))


def check_names(given: Mapping[str, Any]) -> None:
    """Raise ConfigError for a name that is no setting's."""
    known = [item.name for item in fields(Settings)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            raise ConfigError(f"{name}: no such setting" + (f"; did you mean {' or '.join(near)}?" if near else ""))


def _checked(name: str, value: Any, hint: Any) -> Any:
    """``value`` if it is of the type that the setting has (a whole number will do for a fraction)."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{name}: {value!r} is not known; it is one of {', '.join(get_args(hint))}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise ConfigError(f"{name}: must be {kinds[hint]}, not {value!r}")
    return value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
