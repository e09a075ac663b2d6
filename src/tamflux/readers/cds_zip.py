"""Zips of the Climate Data Store: their NetCDF members are unpacked, other members logged."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from tamflux.errors import InputError
from tamflux.files import DAMAGED_ZIP
from tamflux.readers.cds_files import file_error

log = logging.getLogger("tamflux")

_MAGIC = {b"\x89HDF": "netcdf", b"CDF\x01": "netcdf", b"CDF\x02": "netcdf", b"CDF\x05": "netcdf"}
_AS_NETCDF = 'download with "data_format": "netcdf"'
_FROM_GRIB = f"{_AS_NETCDF}, or convert it with cfgrib's xarray engine"
_MAX_MEMBERS = 1000
_MAX_RATIO = 500
"""A member that unpacks to more than this multiple of its size is not a weather field."""


def unpack(path: Path, folder: Path) -> list[Path]:
    """NetCDF files of `path`: the file itself, or the members of a zip, unpacked to `folder`.

    The store delivers a zip, even under a name ending in .nc, where a request mixes instantaneous
    and accumulated variables. Members are recognised by their content; others are logged.

    Raises
    ------
    InputError
        If the file is missing, empty, of another format, damaged, or an unsafe zip.
    """
    if not path.is_file():
        raise InputError("file is missing", file=path, fix="check inputs.era5.path")
    with open(path, "rb") as file:
        magic = file.read(4)
    if not magic:
        raise file_error("file is empty", path, "0 bytes", "NetCDF or zip")
    if magic in _MAGIC:
        return [path]
    if magic == b"GRIB":
        raise file_error("file is GRIB", path, "GRIB", "NetCDF or zip of NetCDF", _FROM_GRIB)
    if magic[:2] != b"PK":
        expected = "NetCDF (HDF5 or classic) or a zip of NetCDF files"
        raise file_error(
            "file is neither NetCDF nor a zip", path, f"first bytes {magic!r}", expected
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            return _extract(archive, path, folder)
    except (*DAMAGED_ZIP, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # not the zip's fault
            raise
        raise file_error(
            "zip is truncated or damaged", path, str(error), "a complete zip"
        ) from error


def _extract(archive: zipfile.ZipFile, path: Path, folder: Path) -> list[Path]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    for info in members:
        name = PurePosixPath(info.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or re.match("[A-Za-z]:", info.filename):
            raise file_error("zip has an entry that escapes its folder", path, info.filename,
                         "plain file names", "do not use this file; download it anew")  # fmt: skip
    if len(members) > _MAX_MEMBERS:
        raise file_error("zip holds more files than the store delivers", path, len(members),
                     f"at most {_MAX_MEMBERS} NetCDF files")  # fmt: skip
    _check_size(members, path, folder)
    magic = {}
    for info in members:
        with archive.open(info) as source:
            magic[info.filename] = source.read(4)
    used = [info for info in members if magic[info.filename] in _MAGIC]
    other = [info.filename for info in members if info not in used]
    if not used:
        fix = _FROM_GRIB if b"GRIB" in magic.values() else _AS_NETCDF
        raise file_error("zip holds no NetCDF file", path, other[:5], "NetCDF files", fix)
    if other := [name for name in other if not PurePosixPath(name).name.startswith(".")]:
        log.warning("%s: left out %s, which are not NetCDF", path, ", ".join(other[:5]))
    unpacked = []
    for info in used:  # zips of one name may lie in different folders
        own = tempfile.mkdtemp(prefix=f"{path.stem}_", dir=folder)
        target = Path(own) / PurePosixPath(info.filename).name
        with archive.open(info) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        unpacked.append(target)
    return unpacked


def _check_size(members: list[zipfile.ZipInfo], path: Path, folder: Path) -> None:
    size = sum(info.file_size for info in members)
    free = shutil.disk_usage(folder).free
    if any(i.file_size > _MAX_RATIO * max(i.compress_size, 1000) for i in members) or size > free:
        expected = f"at most {_MAX_RATIO} times its size, and the {free} bytes free on disk"
        raise file_error("zip unpacks to an implausible size", path, f"{size} bytes", expected,
                     "free disk space, or download the file again")  # fmt: skip
