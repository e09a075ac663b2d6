"""Arguments: folder, year, lon, lat, month. Prints name = number."""

import os
import sys

from qgis.core import QgsApplication, QgsPointXY, QgsRasterBandStats, QgsRasterLayer

folder, year, lon, lat, month = sys.argv[1:]
application = QgsApplication([], False)
application.setPrefixPath("/usr", True)
application.initQgis()


def layer(step):
    found = QgsRasterLayer(f'NETCDF:"{folder}/tamflux_{step}_{year}.nc":gpp', step, "gdal")
    if not (found.isValid() and found.crs().isValid() and "longlat" in found.crs().toProj()):
        raise SystemExit(f"{step}: no layer, or one without its reference system")
    return found


monthly, annual = layer("monthly"), layer("annual")
value, inside = monthly.dataProvider().sample(QgsPointXY(float(lon), float(lat)), int(month))
mean = annual.dataProvider().bandStatistics(1, QgsRasterBandStats.Mean).mean
print(f"west = {monthly.extent().xMinimum()}")
print(f"north = {monthly.extent().yMaximum()}")
print(f"gpp of a cell, July = {value if inside else 'outside'}")
print(f"plain mean gpp = {mean}", flush=True)
os._exit(0)  # QGIS may crash while it takes itself down
