"""The catalogue: every physical variable that crosses a stage, with its unit and valid range.

Units live here, in variable attributes and in docstrings, nowhere else. Sources convert to these
units once, when they read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """Name, UDUNITS unit, meaning and physically possible range of one variable."""

    name: str
    units: str
    long_name: str
    valid_min: float
    valid_max: float
    standard_name: str | None = None

    @property
    def attrs(self) -> dict[str, str]:
        """CF attributes of the variable in a file."""
        attrs = {"units": self.units, "long_name": self.long_name}
        if self.standard_name:
            attrs["standard_name"] = self.standard_name
        return attrs


def _index(*variables: Variable) -> dict[str, Variable]:
    return {variable.name: variable for variable in variables}


_SW = "surface_downwelling_shortwave_flux_in_air"
_LW = "surface_downwelling_longwave_flux_in_air"

METEOROLOGY = _index(
    Variable("t2m", "degC", "2 m air temperature, daily mean", -95, 65, "air_temperature"),
    Variable("t2m_min", "degC", "2 m air temperature, daily minimum", -95, 65, "air_temperature"),
    Variable("t2m_max", "degC", "2 m air temperature, daily maximum", -95, 65, "air_temperature"),
    Variable("vpd", "hPa", "vapour pressure deficit of the air at 2 m, daily mean", 0, 150,
             "water_vapor_saturation_deficit_in_air"),
    Variable("ssrd", "W m-2", "downward short-wave radiation at the surface, daily mean",
             0, 550, _SW),
    Variable("strd", "W m-2", "downward long-wave radiation at the surface, daily mean",
             20, 650, _LW),
    Variable("tp", "mm d-1", "total precipitation", 0, 2000, "lwe_precipitation_rate"),
    Variable("swvl1", "m3 m-3", "volumetric soil water, 0-7 cm, daily mean", 0, 1,
             "volume_fraction_of_condensed_water_in_soil"),
    Variable("sp", "hPa", "surface air pressure, daily mean", 400, 1100, "surface_air_pressure"),
    Variable("wind", "m s-1", "10 m wind speed, daily mean", 0, 100, "wind_speed"),
)  # fmt: skip
"""Daily meteorology, from ERA5."""

ASTRONOMY = _index(
    Variable("ssrd_pot", "W m-2", "potential (top of atmosphere) short-wave radiation, daily mean",
             0, 570, "toa_incoming_shortwave_flux"),
    Variable("day_length", "h", "time from sunrise to sunset", 0, 24, "duration_of_sunshine"),
)  # fmt: skip
"""Derived from latitude and date alone."""

REFLECTANCE = _index(
    *(
        Variable(f"refl_b{band}", "1", f"surface reflectance, MODIS band {band} ({nm} nm)",
                 -0.02, 1.6)
        for band, nm in enumerate(
            ["620-670", "841-876", "459-479", "545-565", "1230-1250", "1628-1652", "2105-2155"], 1
        )
    ),
    Variable("ndvi", "1", "normalised difference vegetation index", -1, 1,
             "normalized_difference_vegetation_index"),
    Variable("evi", "1", "enhanced vegetation index", -1.5, 1.5),
    Variable("nirv", "1", "near-infrared reflectance of vegetation (NDVI x band 2)", -1, 1),
    Variable("lswi", "1", "land surface water index (bands 2 and 6)", -1, 1),
)  # fmt: skip
"""Daily surface reflectance and indices, from MODIS, gap-filled."""

REFL_FILLED = Variable("refl_filled", "1", "origin of the day's reflectance", 0, 2)
"""Flag: 0 the satellite composites around the day are valid, 1 filled in time over a missing one,
2 no data at all (reflectances are missing)."""

WEATHER_FILLED = Variable("weather_filled", "1", "origin of the day's weather", 0, 3)
"""Flag: 0 data, 1 filled from the nearest node, 2 interpolated in time, 3 missing; the largest of
all meteorological predictors."""

CLIMATOLOGY = _index(
    Variable("lai_clim", "1", "leaf area index, mean annual cycle", 0, 12, "leaf_area_index"),
    Variable("t2m_clim", "degC", "2 m air temperature, mean annual cycle", -75, 55),
    Variable("tp_clim", "mm d-1", "total precipitation, mean annual cycle", 0, 100),
)  # fmt: skip
"""Mean annual cycles, in site tables only: no cube holds them."""

LAND_MODEL = _index(
    Variable("ssr", "W m-2", "net short-wave radiation at the surface, daily mean", 0, 550,
             "surface_net_downward_shortwave_flux"),
    Variable("evaporation", "mm d-1", "evaporation and transpiration, below zero: dew", -10, 40,
             "lwe_water_evaporation_rate"),
    Variable("lai_high", "1", "leaf area index of high vegetation", 0, 12, "leaf_area_index"),
    Variable("lai_low", "1", "leaf area index of low vegetation", 0, 12, "leaf_area_index"),
)  # fmt: skip
"""Further output of ERA5-Land, in site tables only: no cube holds it."""

VEGETATION = _index(
    Variable("lai", "1", "leaf area index", 0, 12, "leaf_area_index"),
    Variable("fapar", "1", "absorbed fraction of photosynthetically active radiation", 0, 1,
             "fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation"),
    Variable("lst_day_terra", "degC", "land surface temperature by day, Terra (10:30)", -80, 85,
             "surface_temperature"),
    Variable("lst_day_aqua", "degC", "land surface temperature by day, Aqua (13:30)", -80, 85,
             "surface_temperature"),
)  # fmt: skip
"""Further satellite series."""

PREDICTORS = METEOROLOGY | ASTRONOMY | REFLECTANCE | VEGETATION | CLIMATOLOGY | LAND_MODEL
"""Every dynamic predictor a cube or a sample table may hold."""

CORE_WEATHER = ("t2m", "vpd", "ssrd")
"""Predictors without which no model of a site table predicts a day."""

FLUXES = _index(
    Variable("gpp", "g m-2 d-1",
             "gross primary production expressed as carbon, positive: uptake by plants", -30, 80,
             "gross_primary_productivity_of_biomass_expressed_as_carbon"),
    Variable("reco", "g m-2 d-1",
             "ecosystem respiration expressed as carbon, positive: release to the atmosphere",
             -30, 80),
    Variable("nee", "g m-2 d-1",
             "net ecosystem exchange expressed as carbon (reco - gpp), positive upward: "
             "release to the atmosphere", -80, 80),
)  # fmt: skip
"""The three fluxes. NEE = RECO - GPP. RECO and NEE have no CF standard name."""

IGBP_CLASSES = (
    "WAT", "ENF", "EBF", "DNF", "DBF", "MF", "CSH", "OSH", "WSA",
    "SAV", "GRA", "WET", "CRO", "URB", "CVM", "SNO", "BSV",
)  # fmt: skip
"""IGBP classes by their MCD12C1 code 0-16. (MCD12Q1 codes water as 17, not 0.)"""

VEGETATED = tuple(c for c in IGBP_CLASSES if c not in ("WAT", "URB", "SNO", "BSV"))
"""Classes whose land carries vegetation."""

KOPPEN_CLASSES = (
    "Af", "Am", "Aw", "BWh", "BWk", "BSh", "BSk", "Csa", "Csb", "Csc",
    "Cwa", "Cwb", "Cwc", "Cfa", "Cfb", "Cfc", "Dsa", "Dsb", "Dsc", "Dsd",
    "Dwa", "Dwb", "Dwc", "Dwd", "Dfa", "Dfb", "Dfc", "Dfd", "ET", "EF",
)  # fmt: skip
"""Köppen-Geiger classes by code 1-30 of Beck et al. (2018); code 0 is ocean or no data."""


def igbp_fraction(igbp: str) -> str:
    """Name of the column or variable that holds the fraction of one IGBP class."""
    return f"igbp_{igbp}"
