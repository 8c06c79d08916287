"""A recipe: everything that decides what a training run does, as one typed TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from moodlens.errors import SettingsError

RECIPES = Path(__file__).parent / "recipes"
_DETECTORS = "detector"
"""How the names of recipes of another kind begin, those for `moodlens train-detector`."""


def packaged_recipes(*, detectors: bool = False) -> list[str]:
    """The names that `Recipe.load` knows, or `DetectorRecipe.load`."""
    names = sorted(path.stem for path in RECIPES.glob("*.toml"))
    return [name for name in names if name.startswith(_DETECTORS) == detectors]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkRecipe(_Part):
    """The network's shape; see `moodlens.training.network`."""

    name: str = Field(default="moodlens", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    full_size_width: int = Field(
        default=0, ge=0, description="of a 3x3 convolution at 48x48 before the stem; 0: none"
    )
    stem_width: int = Field(default=48, ge=4)
    stem_kernel: int = Field(default=5, ge=1)
    stem_stride: int = Field(default=2, ge=1, le=2)
    widths: tuple[PositiveInt, ...] = Field(default=(48, 128, 256), min_length=1)
    depths: tuple[PositiveInt, ...] = (1, 2, 2)
    squeeze_ratio: int = Field(default=8, ge=0, description="0 leaves squeeze-excitation out")
    dropout: float = Field(default=0.2, ge=0, lt=1)
    residual_start: float = Field(
        default=1.0,
        ge=0,
        description="first value of the last scale (gamma) of every residual branch; at 0 the "
        "branches are silent at first, and a short run loses its first epochs to that",
    )

    @model_validator(mode="after")
    def _same_length(self) -> NetworkRecipe:
        if len(self.widths) != len(self.depths):
            raise ValueError("widths and depths must have one number for each stage")
        return self


class TargetRecipe(_Part):
    """What the network is asked to say: the label, softened by the taggers' votes.

    The target of the emotion head is `(1 - votes_share - smoothing)` of the FER2013 label,
    `votes_share` of the FER+ votes over the seven emotions, and `smoothing` spread evenly. Where
    the run has a teacher (`moodlens.training.teacher`), `teacher_share` of all that is replaced by
    what the teacher says.
    """

    votes_share: float = Field(default=0.2, ge=0, le=1)
    smoothing: float = Field(default=0.05, ge=0, le=0.5)
    votes_head_weight: float = Field(
        default=0.4, ge=0, description="weight of the vote head's loss"
    )
    flip_consistency: float = Field(
        default=0.0,
        ge=0,
        description="weight of the disagreement between a face and its mirror image; each batch "
        "then holds both, so an epoch costs double",
    )
    teacher_share: float = Field(default=0.0, ge=0, le=1, description="0: no teacher is asked")
    teacher_temperature: float = Field(default=1.0, gt=0, description="above 1: softer answers")
    teacher_sees_changes: bool = Field(
        default=False,
        description="ask the teacher about every changed picture, not once about the plain one",
    )


class AugmentRecipe(_Part):
    """Random changes to a training picture; see `moodlens.training.augment`."""

    flip: float = Field(default=0.5, ge=0, le=1)
    scale: float = Field(default=1.25, ge=1, description="largest zoom in or out")
    shift: float = Field(default=0.10, ge=0, le=0.5, description="of the side")
    rotation_deg: float = Field(default=10.0, ge=0, le=90)
    tone: float = Field(default=0.5, ge=0, le=1, description="chance of contrast and brightness")
    blur: float = Field(default=0.1, ge=0, le=1)
    noise: float = Field(default=0.1, ge=0, le=1)
    erase: float = Field(default=0.25, ge=0, le=1)
    mixup: float = Field(default=0.0, ge=0, le=1, description="chance that a batch is blended")
    cutmix: float = Field(default=0.0, ge=0, le=1, description="chance that a batch is patched")
    ramp: float = Field(
        default=0.25, ge=0, le=1, description="share of the run over which strength grows to full"
    )


class ScheduleRecipe(_Part):
    """How long and how fast."""

    epochs: int = Field(default=60, ge=1)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=0.1, gt=0)
    warmup_epochs: float = Field(default=2.0, ge=0)
    weight_decay: float = Field(default=0.005, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    ema_decay: float = Field(default=0.998, ge=0, lt=1, description="per step; 0 turns it off")
    balance: float = Field(
        default=0.0, ge=0, le=1, description="0: as in the data; 1: every emotion equally often"
    )
    sharpness: float = Field(
        default=0.0,
        ge=0,
        description="how far sharpness-aware minimisation climbs; 0: plain SGD, above it a step "
        "costs double",
    )
    precision: str = Field(default="mixed_bfloat16", pattern="^(float32|mixed_bfloat16)$")


class Recipe(_Part):
    """One training run."""

    seed: int = 20260
    network: NetworkRecipe = NetworkRecipe()
    target: TargetRecipe = TargetRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()

    def with_changes(self, changes: dict[str, Any]) -> Recipe:
        """A copy with some values changed.

        Args:
            changes: dotted names to values, as `{"schedule.epochs": 4}`.

        Raises:
            SettingsError: an unknown name or a senseless value.
        """
        values = self.model_dump()
        for name, value in changes.items():
            *parts, last = name.split(".")
            place: Any = values
            for part in parts:
                place = place.get(part) if isinstance(place, dict) else None
            if not isinstance(place, dict) or last not in place:
                raise SettingsError(f"a recipe has no value {name!r}")
            place[last] = value
        try:
            return Recipe.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"recipe: {where}: {first['msg']}") from error

    def to_toml(self) -> str:
        """The whole recipe as TOML that `load` reads, defaults included."""
        values = json.loads(self.model_dump_json())
        lines = [f"{name} = {json.dumps(v)}" for name, v in values.items() if type(v) is not dict]
        for part, inner in values.items():
            if type(inner) is dict:
                lines += ["", f"[{part}]"]
                # numbers, strings, booleans and lists of these look the same in JSON and TOML
                lines += [f"{name} = {json.dumps(value)}" for name, value in inner.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def load(cls, name_or_path: str) -> Recipe:
        """A packaged recipe by name, or a TOML file by path.

        Raises:
            SettingsError: no such recipe, not TOML, or an unknown or senseless value.
        """
        path = Path(name_or_path)
        if not path.suffix:
            path = RECIPES / f"{name_or_path}.toml"
        try:
            if path.parent == RECIPES and path.stem in packaged_recipes(detectors=True):
                raise SettingsError(f"the recipe {path.stem!r} is for moodlens train-detector")
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            known = ", ".join(packaged_recipes())
            raise SettingsError(f"no recipe {name_or_path!r}; packaged ones: {known}") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: can't be read as TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"{path}: {where}: {first['msg']}") from error


def parse_changes(pairs: Sequence[str], epochs: int | None, seed: int | None) -> dict[str, Any]:
    """What the command line changes in a recipe.

    Args:
        pairs: `NAME=VALUE`, the value as TOML writes it; a bare word is a string.
        epochs: in place of the recipe's; None: as they are. The same for `seed`.
        seed: see `epochs`.

    Raises:
        SettingsError: a pair without a name or a value.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise SettingsError(f"--set {pair}: expected NAME=VALUE, as schedule.batch_size=64")
        try:
            found[name.strip()] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value.strip()
    if epochs is not None:
        found["schedule.epochs"] = epochs
    if seed is not None:
        found["seed"] = seed
    return found
