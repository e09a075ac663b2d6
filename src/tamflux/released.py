"""A released model: one folder with all that prediction needs, and what must be known to use it.

| file | content |
| --- | --- |
| ``model.json`` | predictors with units, static features, and the SHA-256 of every other file |
| ``member_0.safetensors`` … | members of the ensemble |
| ``calibration.json`` | intervals and expected errors |
| ``feature_space.safetensors`` | training towers in the space of the dissimilarity index |
| ``sites.csv`` | training sites with network and licence |
| ``correction.json`` | how the errors of sites vary, to adapt the model to one (optional) |
| ``model_card.md`` | data, scores, limits |
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tamflux.errors import ConfigError, ContractError
from tamflux.files import atomic_path
from tamflux.provenance import file_hash
from tamflux.variables import PREDICTORS

MANIFEST = "model.json"
CALIBRATION, FEATURE_SPACE = "calibration.json", "feature_space.safetensors"
CARD, SITES = "model_card.md", "sites.csv"
CORRECTION = "correction.json"
_NEEDED = (CALIBRATION, FEATURE_SPACE, CARD, SITES)
_FIX = "take the folder again from where it was released"


@dataclass(frozen=True)
class ReleasedModel:
    """What ``model.json`` says of a model.

    Attributes
    ----------
    units : mapping of str to str
        Unit of each predictor, in the order of the features.
    optional : tuple of str
        Predictors that a cell may lack altogether.
    monthly : tuple of str
        Predictors that are averaged over calendar months.
    static_features : tuple of str
    towers : int
        Number of training sites.
    sha256 : mapping of str to str
        Checksum of each file of the folder.
    """

    units: Mapping[str, str]
    optional: tuple[str, ...]
    monthly: tuple[str, ...]
    static_features: tuple[str, ...]
    towers: int
    sha256: Mapping[str, str]

    @property
    def members(self) -> list[str]:
        """Names of the files of the members."""
        return sorted(name for name in self.sha256 if name.startswith("member_"))

    @classmethod
    def read(cls, folder: str | Path) -> ReleasedModel:
        """Read ``model.json``; the other files are left alone.

        Raises
        ------
        ConfigError
            If the folder is not there.
        ContractError
            If the file is not there, damaged, or does not list all that a model needs.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ConfigError(
                "the released model is not there", file=folder, found="no such folder",
                expected="a folder that `make release-model` wrote", fix="correct inference.model",
            )  # fmt: skip
        path = folder / MANIFEST
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            for name in ("optional", "monthly", "static_features"):
                fields[name] = tuple(fields[name])
            model = cls(**fields)
            if missing := [name for name in _NEEDED if name not in model.sha256]:
                raise ValueError(f"{', '.join(missing)} not listed")
            if not model.members or not model.units:
                raise ValueError("no member or no predictor listed")
            if any(Path(name).name != name for name in model.sha256):
                raise ValueError("a file lies outside the folder")
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ContractError(
                "cannot read the list of a released model", file=path,
                found=f"{type(error).__name__}: {error}", fix=_FIX,
            ) from error  # fmt: skip
        return model

    def verify(self, folder: str | Path) -> None:
        """Compare every file of the folder with its checksum.

        Raises
        ------
        ContractError
            Naming a file that is missing or not as released.
        """
        for name, expected in self.sha256.items():
            path = Path(folder) / name
            if not path.is_file():
                raise ContractError(
                    "a file of the released model is missing", file=path, found="no such file",
                    fix=_FIX,
                )  # fmt: skip
            if (found := file_hash(path)) != expected:
                raise ContractError(
                    "a file of the released model is damaged", file=path,
                    found=f"SHA-256 {found[:16]}…", expected=f"{expected[:16]}…", fix=_FIX,
                )  # fmt: skip

    def find_lacks(
        self, variables: Sequence[str], static_features: Sequence[str]
    ) -> list[ContractError]:
        """What the model needs and a cube lacks.

        Parameters
        ----------
        variables, static_features : sequence of str
            Predictors and static features of the cube.
        """
        problems = []
        for what, needed, given, fix in [
            ("predictors", self.units, {*variables, *self.optional}, "predictors.variables"),
            ("static features", self.static_features, static_features, "the cube"),
        ]:
            if lacking := [name for name in needed if name not in given]:
                problems.append(
                    ContractError(
                        f"the model needs {what} that the cube lacks",
                        variable=", ".join(lacking),
                        found=", ".join(sorted(given)),
                        fix=f"add them to {fix}",
                    )
                )
        for name, units in self.units.items():
            if name in variables and name in PREDICTORS and PREDICTORS[name].units != units:
                problems.append(
                    ContractError(
                        "the model was trained with another unit",
                        variable=name,
                        found=units,
                        expected=PREDICTORS[name].units,
                        fix="take a model that was released with this version",
                    )
                )
        return problems


def write_manifest(folder: str | Path, spec: Mapping[str, Any]) -> None:
    """Write ``model.json`` of a folder that holds the other files.

    Parameters
    ----------
    folder : path
    spec : mapping
        The specification that the members share (`tamflux.training.checkpoint.ModelSpec`).
    """
    folder = Path(folder)
    model = ReleasedModel(
        units=dict(zip(spec["predictors"], spec["units"], strict=True)),
        optional=tuple(spec["optional"]),
        monthly=tuple(spec["monthly"]),
        static_features=tuple(spec["static_features"]),
        towers=len(spec["training_sites"]),
        sha256={path.name: file_hash(path) for path in sorted(folder.iterdir())},
    )
    (folder / MANIFEST).write_text(json.dumps(asdict(model), indent=1) + "\n", encoding="utf-8")


def adopt_model(
    folder: str | Path,
    members: Sequence[str | Path],
    calibration: str | Path,
    feature_space: str | Path,
    card: str | Path,
    *,
    variables: Sequence[str],
    static_features: Sequence[str],
) -> None:
    """Copy a released model to where a run expects that of its own training.

    Parameters
    ----------
    folder : path
        The released model.
    members, calibration, feature_space, card : path
        Files to write.
    variables, static_features : sequence of str
        Predictors and static features of the cubes.

    Raises
    ------
    ConfigError, ContractError
        If the folder is not complete and undamaged, or the cubes lack what the model needs.
    """
    model = ReleasedModel.read(folder)
    model.verify(folder)
    for problem in model.find_lacks(variables, static_features):
        raise problem
    targets = [*zip(model.members, members, strict=True)]
    targets += [(CALIBRATION, calibration), (FEATURE_SPACE, feature_space), (CARD, card)]
    for name, target in targets:
        with atomic_path(target) as partial:
            shutil.copyfile(Path(folder) / name, partial)
