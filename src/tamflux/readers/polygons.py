"""Polygons of the user's regions: GeoPackage, shapefile or GeoJSON."""

from __future__ import annotations

from pathlib import Path

import geopandas

from tamflux.errors import InputError


def read_polygons(path: str | Path) -> geopandas.GeoSeries:
    """The user's polygons in longitude and latitude, by name.

    Parameters
    ----------
    path : path
        GeoPackage, shapefile or GeoJSON in any coordinate reference system. A region is named by
        the column `name` (in any case), else by the first column of text; polygons of one name
        make one region.

    Raises
    ------
    InputError
        If the file cannot be read, or has no polygon, no name, or no reference system.
    """

    def wrong(what: str, found, expected: str) -> InputError:
        return InputError(
            what, file=path, found=found, expected=expected,
            fix="correct the file, or leave the regions out",
        )  # fmt: skip

    expected = "a GeoPackage, shapefile or GeoJSON of polygons with a column name"
    try:
        frame = geopandas.read_file(path)
    except Exception as error:  # of GDAL, by the format
        raise wrong("cannot read the polygons of the regions", error, expected) from error
    kinds = set(frame.geom_type.dropna()) if isinstance(frame, geopandas.GeoDataFrame) else set()
    if not kinds or not kinds <= {"Polygon", "MultiPolygon"}:
        found = ", ".join(sorted(kinds)) or "no geometry"
        raise wrong("the regions are not polygons", found, expected)
    if frame.crs is None:
        raise wrong("the polygons have no reference system", "none", "one, such as EPSG:4326")
    texts = frame.select_dtypes(include=["object", "string"]).columns.drop("geometry", "ignore")
    named = [column for column in texts if column.lower() == "name"] or list(texts)
    if not named or frame[named[0]].isna().any():
        raise wrong("the regions have no names", list(frame.columns), "a name for each polygon")
    frame["geometry"] = frame.geometry.make_valid()
    return frame.to_crs("EPSG:4326").dissolve(named[0], sort=False)["geometry"]
