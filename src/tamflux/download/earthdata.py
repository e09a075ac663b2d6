"""MODIS from NASA's Earthdata with its own client, `earthaccess`.

User name and password stay in `~/.netrc`. Size and checksum are those of NASA's catalogue (CMR).
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tamflux.download.fetch import Interrupted, fetch, write_manifest
from tamflux.errors import DownloadError
from tamflux.readers.modis_files import composite_date

log = logging.getLogger("tamflux")

VERSION = "061"
INTERVAL_DAYS = {"MCD43C4": 8, "MOD09CMG": 1}
"""Days between two files: MCD43C4 combines 16 days; MOD09CMG is a single day, often cloudy."""
REGISTER = "https://urs.earthdata.nasa.gov/users/new"


def download_modis(
    product: str, year: int, folder: str | Path, manifest: str | Path, system=None
) -> None:
    """Download a year of global files, every `INTERVAL_DAYS` days from 1 January.

    Parameters
    ----------
    product : str
        ``MCD43C4`` or ``MOD09CMG``.
    folder : path
        Target folder; files keep NASA's names. Existing files are left as they are.
    system : earthaccess.System, optional
        Hosts of Earthdata.

    Raises
    ------
    DownloadError
        If there is no account, NASA refuses, or a file does not arrive complete.
    """
    earthdata = Earthdata(system)
    found = earthdata.search(product, temporal=(f"{year}-01-01", f"{year}-12-31"))
    first = np.datetime64(f"{year}-01-01")
    days = {
        composite_date(name): name for name in sorted(found)
    }  # of one day, the latest production
    wanted = np.arange(first, np.datetime64(f"{year + 1}-01-01"), INTERVAL_DAYS[product])
    if absent := [str(day) for day in wanted if day not in days]:
        log.warning("%s has no file of %s", product, ", ".join(absent))
    if len(absent) == len(wanted):
        raise DownloadError(
            "NASA has no file of a year", found=f"{product} {VERSION}, {year}",
            expected="a year from 2000 on", fix="correct `years`",
        )  # fmt: skip
    have = {composite_date(path): path.name for path in Path(folder).glob(f"{product}.A*.hdf")}
    rows = []
    for day in (day for day in wanted if day in days):
        name = days[day]
        if have.get(day, name) != name:
            log.warning("%s is left as it is; NASA now has %s", Path(folder) / have[day], name)
            continue
        rows.append(earthdata.fetch(found[name], Path(folder) / name))
    write_manifest(manifest, rows)


def download_landcover(target: str | Path, manifest: str | Path, system=None) -> None:
    """Download the MCD12C1 file named by a path, by its first parts `MCD12C1.AYYYYDDD.061`.

    Raises
    ------
    DownloadError
        If the name is another, NASA has no such file or refuses.
    """
    target = Path(target)
    parts = target.name.split(".")
    if parts[0] != "MCD12C1" or parts[-1] != "hdf" or len(parts) < 4:
        raise DownloadError(
            "inputs.landcover does not name a file of MCD12C1", file=target,
            expected=f"a name such as MCD12C1.A2019001.{VERSION}.hdf", fix="correct it",
        )  # fmt: skip
    earthdata = Earthdata(system)
    found = earthdata.search("MCD12C1", granule_name=".".join(parts[:-1]) + "*")
    if not found:
        raise DownloadError(
            "NASA has no such land cover", file=target, fix="look the name up at "
            "https://search.earthdata.nasa.gov, and correct inputs.landcover",
        )  # fmt: skip
    write_manifest(manifest, [earthdata.fetch(found[max(found)], target)])


class Earthdata:
    """A login to NASA's Earthdata, with search and download."""

    def __init__(self, system=None):
        try:
            import earthaccess
            from earthaccess.system import PROD
        except ImportError as error:
            raise DownloadError(
                "the client of NASA's Earthdata is not installed", found=str(error),
                fix='pip install -e ".[download]"',
            ) from error  # fmt: skip
        self._client = earthaccess
        self._auth = earthaccess.Auth()
        host = (system or PROD).edl_hostname
        file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
        try:
            self._auth.login(strategy="netrc", system=system or PROD)
        except earthaccess.exceptions.LoginStrategyUnavailable as error:
            raise DownloadError(
                "there is no login for NASA's Earthdata", file=file, found=str(error),
                expected=f"a line:  machine {host} login <name> password <password>",
                fix=f"register at {REGISTER}, write the file, and chmod 600 it",
            ) from error  # fmt: skip
        except earthaccess.exceptions.LoginAttemptFailure as error:
            raise DownloadError(
                "NASA's Earthdata refuses the login", file=file, found=str(error),
                fix=f"correct name and password of {host}",
            ) from error  # fmt: skip
        self._store = self._attempt(lambda: earthaccess.Store(self._auth), host)

    def search(self, product: str, **criteria: Any) -> dict[str, dict[str, Any]]:
        """Files of a product by name: `url`, and `size` and `checksum` if NASA gives them."""
        query = self._client.DataGranules(self._auth).short_name(product).version(VERSION)
        for name, value in criteria.items():
            value = value if isinstance(value, tuple) else (value,)
            getattr(query, name)(*value)
        granules = self._attempt(lambda: query.get(2000), product)
        files = [_describe(granule) for granule in granules]
        return {file["name"]: file for file in files if file}

    def fetch(self, file: dict[str, Any], target: Path) -> dict[str, str | int]:
        """Download one file of a search; returns its row of the manifest."""

        def write(path: Path) -> None:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".earthdata") as folder:
                (got,) = self._attempt(
                    lambda: self._store.get([file["url"]], folder, threads=1), target
                )
                os.replace(got, path)

        return fetch(target, file["url"], write, lambda path: _difference(path, file))

    def _attempt(self, call, file: Any) -> Any:
        """Call the client; its exceptions become errors, `Interrupted` if a retry may help."""
        import requests

        exceptions = self._client.exceptions
        try:
            return call()
        except exceptions.EulaNotAccepted as error:
            raise DownloadError(
                "NASA asks to accept a licence first", file=file, found=str(error),
                fix="accept it in your profile at https://urs.earthdata.nasa.gov",
            ) from error  # fmt: skip
        except exceptions.DownloadFailure as error:
            if any(f"code: {status}" in str(error) for status in (401, 403, 404)):
                raise DownloadError(
                    "NASA refuses a download", file=file, found=str(error),
                    fix="authorise the application LP DAAC in your profile at "
                    "https://urs.earthdata.nasa.gov",
                ) from error  # fmt: skip
            raise Interrupted("NASA did not deliver", file=file, found=str(error)) from error
        except (requests.RequestException, RuntimeError) as error:
            raise Interrupted("NASA did not deliver", file=file, found=str(error)) from error


def _describe(granule: Any) -> dict[str, Any] | None:
    """Name, URL, size and checksum of a granule's HDF file; None if it has none."""
    url = next((link for link in granule.data_links() if link.endswith(".hdf")), None)
    if url is None:
        return None
    name = url.rsplit("/", 1)[1]
    parts = granule["umm"].get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    about: dict[str, Any] = next((part for part in parts if part.get("Name") == name), {})
    return {
        "name": name,
        "url": url,
        "size": about.get("SizeInBytes"),
        "checksum": about.get("Checksum", {}),
    }


def _difference(path: Path, file: dict[str, Any]) -> str | None:
    """Difference between a file and its catalogue entry, None if there is none."""
    size = path.stat().st_size
    if file["size"] is not None and size != int(file["size"]):
        return f"{size} bytes instead of {file['size']}"
    algorithm = file["checksum"].get("Algorithm", "").replace("-", "").lower()
    if algorithm in hashlib.algorithms_available:
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, algorithm).hexdigest()
        if digest != file["checksum"]["Value"].lower():
            return f"{file['checksum']['Algorithm']} {digest} instead of the catalogue's"
    return None
