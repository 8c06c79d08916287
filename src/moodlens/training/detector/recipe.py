"""The recipe of a detector: everything that decides what its training does, as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moodlens.errors import SettingsError
from moodlens.training.recipe import RECIPES, packaged_recipes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkRecipe(_Part):
    """Widths of the network; see `moodlens.training.detector.network`."""

    stem: int = Field(default=16, ge=4)
    widths: tuple[int, int, int] = (32, 64, 96)
    depths: tuple[int, int, int] = (2, 2, 1)
    neck: tuple[int, int, int] = (32, 48, 96)


class SceneRecipe(_Part):
    """How pictures are composed; see `moodlens.training.detector.scenes`."""

    width: int = Field(default=320, ge=64, multiple_of=32)
    height: int = Field(default=256, ge=64, multiple_of=32)
    count: int = Field(default=40_000, ge=1, description="scenes composed for the first round")
    first: int = Field(
        default=0, ge=0, description="number of the first scene: another one gives other scenes"
    )
    faces: int = Field(default=16, ge=1, description="at most on a scene")
    smallest: float = Field(default=16.0, gt=4, description="face box, pixels")
    largest: float = Field(default=320.0, gt=8, description="face box, pixels")
    crowd: float = Field(default=0.62, ge=0, le=1, description="share of scenes with many faces")
    large: float = Field(default=0.2, ge=0, le=1, description="share with one large face")
    portrait: float = Field(default=0.1, ge=0, le=1, description="share that a face fills")
    roll_deg: float = Field(default=14.0, ge=0, le=90, description="standard deviation")
    roll_limit_deg: float = Field(default=36.0, ge=0, le=180)
    cover: float = Field(default=0.15, ge=0, le=1, description="chance that a face is covered")
    glasses: float = Field(default=0.08, ge=0, le=1)
    natural: float = Field(
        default=0.12, ge=0, le=1, description="share of faces cut from photographs with people"
    )
    people: float = Field(
        default=0.0, ge=0, le=1, description="share of scenes that are views of such photographs"
    )
    distractors: float = Field(default=0.6, ge=0, le=1, description="chance of pasted non-faces")


class TargetRecipe(_Part):
    """Which cell answers for which face, and what errors cost."""

    limits: tuple[float, float] = Field(
        default=(56.0, 128.0), description="face sizes, pixels, at which the next stride takes over"
    )
    blend: float = Field(default=1.25, ge=1, description="factor by which the ranges overlap")
    spread: float = Field(default=0.10, gt=0, description="of the centre's bump, in face sizes")
    box_weight: float = Field(default=2.0, ge=0)
    landmark_weight: float = Field(default=12.0, ge=0)


class ScheduleRecipe(_Part):
    """How long and how fast; the second round follows on mined scenes."""

    epochs: int = Field(default=10, ge=1, description="passes over the first round's scenes")
    second_epochs: int = Field(default=4, ge=0, description="passes after mining")
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=0.002, gt=0)
    second_rate: float = Field(default=0.001, gt=0)
    warmup_share: float = Field(default=0.04, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: str = Field(default="mixed_bfloat16", pattern="^(float32|mixed_bfloat16)$")


class MiningRecipe(_Part):
    """The second round's scenes: what the first round took for a face, pasted again."""

    count: int = Field(default=12_000, ge=0, description="scenes composed for the second round")
    score: float = Field(default=0.15, gt=0, lt=1, description="a wrong box above this is kept")
    scales: tuple[float, ...] = (0.4, 0.65, 1.0, 1.5, 2.2)
    most: int = Field(default=4000, ge=1, description="patches kept, the worst first")


class DetectorRecipe(_Part):
    """One training run."""

    seed: int = 20268
    held_out: int = Field(default=100, ge=0, description="backgrounds kept for the measurement")
    network: NetworkRecipe = NetworkRecipe()
    scenes: SceneRecipe = SceneRecipe()
    target: TargetRecipe = TargetRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    mining: MiningRecipe = MiningRecipe()

    @classmethod
    def load(cls, name_or_path: str) -> DetectorRecipe:
        """A packaged recipe by name, or a TOML file by path.

        Raises:
            SettingsError: no such recipe, not TOML, or an unknown or senseless value.
        """
        path = Path(name_or_path)
        if not path.suffix:
            path = RECIPES / f"{name_or_path}.toml"
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            known = ", ".join(packaged_recipes(detectors=True))
            raise SettingsError(f"no recipe {name_or_path!r}; packaged ones: {known}") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: can't be read as TOML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"{path}: {where}: {first['msg']}") from error
