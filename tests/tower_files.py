"""Builders of small tower files in the networks' own naming, for the tests of the towers."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd


def daily_frame(n=90, start="2001-01-01", seed=0, variant="VUT_REF", qc=0.9, shift=0.0):
    """Daily table whose fluxes close exactly; columns as in a FULLSET file."""
    rng = np.random.default_rng(seed)
    gpp, reco = rng.uniform(0, 8, n).round(4) + shift, rng.uniform(1, 4, n).round(4)
    return pd.DataFrame(
        {
            "TIMESTAMP": pd.date_range(start, periods=n).strftime("%Y%m%d"),
            "TA_F": rng.uniform(5, 20, n).round(3),
            f"NEE_{variant}": (reco - gpp).round(6),
            f"NEE_{variant}_QC": qc,
            f"RECO_NT_{variant}": reco,
            f"GPP_NT_{variant}": gpp,
        }
    )


def half_hourly_frame(days=3, start="2001-01-01", seed=0, steps=48):
    """Half-hourly table of `days` days, umol m-2 s-1, with flags 0 to 3."""
    rng = np.random.default_rng(seed)
    n = days * steps
    begin = pd.date_range(start, periods=n, freq=f"{24 * 60 // steps}min")
    gpp, reco = rng.uniform(0, 8, n), rng.uniform(1, 4, n)
    return pd.DataFrame(
        {
            "TIMESTAMP_START": begin.strftime("%Y%m%d%H%M"),
            "TIMESTAMP_END": (begin + (begin[1] - begin[0])).strftime("%Y%m%d%H%M"),
            "P_F": rng.uniform(0, 1, n),
            "NEE_VUT_REF": reco - gpp,
            "NEE_VUT_REF_QC": rng.integers(0, 4, n),
            "RECO_NT_VUT_REF": reco,
            "GPP_NT_VUT_REF": gpp,
        }
    )


def badm_text(site_id, lat=42.5, lon=-72.2, igbp="DBF", **more):
    """A BIF file of one site."""
    values = {"LOCATION_LAT": lat, "LOCATION_LONG": lon, "IGBP": igbp, "UTC_OFFSET": -5, **more}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["SITE_ID", "GROUP_ID", "VARIABLE_GROUP", "VARIABLE", "DATAVALUE"])
    for name, value in values.items():
        if value is not None:
            group = "GRP_LOCATION" if name.startswith("LOCATION") else f"GRP_{name}"
            writer.writerow([site_id, f"{site_id} {group}", group, name, value])
    return text.getvalue()


NAMES = {
    "FLUXNET2026": ("AMF_{}_FLUXNET_2001-2002_v1.3_r1",
                    "AMF_{}_FLUXNET_FLUXMET_{}_2001-2002_v1.3_r1",
                    "AMF_{}_FLUXNET_BIF_2001-2002_v1.3_r1"),
    "ICOS": ("ICOSETC_{}_ARCHIVE_L2", "ICOSETC_{}_FLUXNET_{}_L2", "ICOSETC_{}_SITEINFO_L2"),
    "AmeriFlux": ("AMF_{}_FLUXNET_FULLSET_2001-2002_3-5", "AMF_{}_FLUXNET_FULLSET_{}_2001-2002_3-5",
                  "AMF_{}_FLUXNET_BIF_20230101"),
    "JapanFlux": ("FLX_{}_JapanFLUX2024_ALLVARS_2001-2002_1-3",
                  "FLX_{}_JapanFLUX2024_ALLVARS_{}_2001-2002_1-3", "FLX_{}_JapanFLUX2024_BADM"),
    "FLUXNET2015": ("FLX_{}_FLUXNET2015_FULLSET_2001-2002_1-4",
                    "FLX_{}_FLUXNET2015_FULLSET_{}_2001-2002_1-4", "FLX_{}_FLUXNET2015_BIF"),
}  # fmt: skip
"""Names of the zip, the table and the metadata file of each network."""


def write_zip(folder, network, site_id, tables, badm=True):
    """Write one zip: `tables` maps a resolution to a frame or text; `badm`: text, True or False."""
    archive, table, metadata = NAMES[network]
    path = Path(folder) / f"{archive.format(site_id)}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for resolution, frame in tables.items():
            text = frame if isinstance(frame, str) else frame.to_csv(index=False, na_rep="-9999")
            target.writestr(f"{table.format(site_id, resolution)}.csv", text)
        if badm:
            text = badm_text(site_id) if badm is True else badm
            target.writestr(f"{metadata.format(site_id)}.csv", text)
    return path
