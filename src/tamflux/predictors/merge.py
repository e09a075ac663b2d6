"""Merge the ERA5 and MODIS predictors into the cube of a year."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import zarr

from tamflux.errors import ContractError
from tamflux.files import atomic_path, link_file
from tamflux.predictors.cube import DIMS, RERUN, Cube, consolidate


def assemble_cube(
    parts: Sequence[str | Path], target: str | Path, variables: Sequence[str]
) -> None:
    """Merge stores of different variables into the cube of a year, without copying a chunk.

    Chunk files are hard-linked (copied where the file system cannot link).

    Parameters
    ----------
    parts : sequence of path
        Stores of one grid and year, each made with `create_store`.
    variables : sequence of str
        Predictors that the cube must hold, in the order of the features.

    Raises
    ------
    ContractError
        If a part is damaged, the parts have different grids or years, or none holds a variable.
    """
    cubes = [Cube.open(path) for path in parts]
    first = cubes[0]
    for cube in cubes[1:]:
        if (cube.grid, cube.year, cube.tile_size) != (first.grid, first.year, first.tile_size):
            raise ContractError(
                "stores of different grids or years cannot be merged", file=cube.path,
                found=f"{cube.grid}, {cube.year}, tile size {cube.tile_size}",
                expected=f"{first.grid}, {first.year}, tile size {first.tile_size}", fix=RERUN,
            )  # fmt: skip
    owner = {name: cube for cube in cubes for name in cube.variables if name in variables}
    if missing := [name for name in variables if name not in owner]:
        raise ContractError(
            "predictors are in none of the stores", file=", ".join(str(path) for path in parts),
            found=sorted(owner), expected=list(variables),
            fix=f"add {', '.join(missing)} to the readers or take them out of predictors.variables",
        )  # fmt: skip
    owner |= {name: first for name in DIMS}
    owner |= {name: cube for cube in cubes for name in cube.flags}
    preliminary = {day for cube in cubes for day in cube.preliminary_days}
    with atomic_path(target) as partial:
        group = zarr.open_group(first.path, mode="r", use_consolidated=False)
        zarr.create_group(
            partial,
            zarr_format=3,
            attributes={
                **group.attrs,
                "variables": list(variables),
                "days": min(len(cube.time) for cube in cubes),
                "preliminary_days": sorted(preliminary),
            },
        )
        for name, cube in owner.items():
            shutil.copytree(cube.path / name, partial / name, copy_function=link_file)
        consolidate(partial)
