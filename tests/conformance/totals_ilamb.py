"""Arguments: folder, year, ... Prints name = number, from the files for ILAMB alone."""

import sys

from ILAMB.ModelResult import ModelResult

model = ModelResult(f"{sys.argv[1]}/ilamb", modelname="TAMFlux")
for flux in ("gpp", "reco", "nee"):
    months = model.extractTimeSeries(flux)
    mean = months.integrateInTime(mean=True).integrateInSpace().convert("Pg d-1").data
    if flux == "gpp":  # of a year of 365 days: ILAMB drops 29 February
        print(f"global gpp, Pg yr-1 = {float(mean) * 365}")
