"""Derive `countries.parquet` from packages of the registries; run once, never imported.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    apt-get download r-cran-rnaturalearthdata && dpkg -x r-cran-rnaturalearthdata_*.deb rne
    cd rne/usr/lib/R/site-library/rnaturalearthdata/data && Rscript -e \
        'lazyLoad("Rdata", envir = globalenv());
         columns <- c("iso_n3", "name", "admin", "continent")
         write.csv(attr(countries50, "data")[columns], "names.csv", row.names = FALSE)'
    python derive_countries.py package/countries-50m.json rne/.../names.csv

Borders are those of Natural Earth 4.1, 1:50 million; names and continents are its attributes.
Natural Earth puts a country with all its parts on one continent. Here the parts of Russia east of
60 degrees east, by the Ural mountains, are Asia, and the overseas parts of France are on their own
continents, so that totals of continents are those of the land.
"""

import sys
from pathlib import Path

import geopandas
import pandas as pd
import shapely

PRECISION = 0.005
"""Degrees; the TopoJSON is quantised to 0.004."""

PARTS = (  # country, continent, west, south, east, north
    ("Russia", "Asia", 60, 0, 180, 90),
    ("Russia", "Asia", -180, 0, -150, 90),
    ("France", "South America", -60, 0, -50, 10),
    ("France", "North America", -70, 10, -55, 30),
    ("France", "Africa", 40, -30, 60, 0),
)


def main(borders: Path, names: Path) -> None:
    """Write `countries.parquet` beside this file: one row per country and continent."""
    world = geopandas.read_file(borders, layer="countries").set_crs("EPSG:4326")
    table = pd.read_csv(names, dtype=str, keep_default_na=False)
    by_number = table.drop_duplicates("iso_n3").set_index("iso_n3")
    by_name = table.set_index("name")
    rows = []
    for row in world.itertuples():  # names change with the version, numbers miss some countries
        known = by_name.loc[row.name] if row.name in by_name.index else by_number.loc[row.id]
        rest = shapely.make_valid(row.geometry)
        for country, other, *edges in PARTS:
            if country == known["admin"]:
                part = shapely.box(*edges)
                rows.append((country, other, rest.intersection(part)))
                rest = rest.difference(part)
        rows.append((known["admin"], known["continent"], rest))
    columns = ["country", "continent", "geometry"]
    frame = geopandas.GeoDataFrame(rows, columns=columns, crs="EPSG:4326")
    frame["geometry"] = shapely.set_precision(frame["geometry"].array, PRECISION)
    frame = frame.dissolve(["country", "continent"]).reset_index()
    frame.to_parquet(Path(__file__).with_name("countries.parquet"), compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
