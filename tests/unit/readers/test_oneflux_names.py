import pytest

from tamflux.readers.oneflux.names import is_site_id, parse_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FLX_IT-Col_FLUXNET2015_SUBSET_DD_1996-2014_1-4.csv", "IT-Col FLUXNET2015 DD SUBSET"),
        ("FLX_CH-Cha_FLUXNET2015_FULLSET_HH_2005-2020_beta-3.csv", "CH-Cha FLUXNET2015 HH FULLSET"),
        ("AMF_US-Ha1_FLUXNET_FULLSET_HR_1991-2020_3-5.csv", "US-Ha1 AmeriFlux HR FULLSET"),
        ("AMF_US-A10_FLUXNET_FLUXMET_DD_2011-2022_v1.3_r1.csv", "US-A10 FLUXNET2026 DD FLUXMET"),
        ("JPF_JP-Tef_FLUXNET_FLUXMET_HH_2001-2023_v1.3_r1.csv", "JP-Tef FLUXNET2026 HH FLUXMET"),
        ("ICOSETC_FR-Bil_FLUXNET_DD_L2.csv", "FR-Bil ICOS DD "),
        ("x/FLX_JP-Ozm_JapanFLUX2024_ALLVARS_DD_2015-2017_1-3.csv", "JP-Ozm JapanFlux DD ALLVARS"),
        ("JP-Tak_COREVARS_DD_1999-2021.csv", "JP-Tak JapanFlux DD COREVARS"),
        ("AMF_US-CRT_BASE_HH_2-5.csv", "US-CRT AmeriFlux BASE HH BASE"),
        ("FLX_FI-Ken_2018-2020_FULLSET_DD.csv", "FI-Ken ONEFlux DD FULLSET"),
        ("FLX_US-Var_PLUMBER_FULLSET_DD_2019_2021_2-3.csv", "US-Var ONEFlux DD FULLSET"),
    ],
)
def test_flux_tables_are_recognised_by_their_tokens(name, expected):
    found = parse_name(name)
    assert found.content == "fluxes"
    assert f"{found.site_id} {found.network} {found.resolution} {found.product}" == expected


def test_years_are_read():
    assert parse_name("FLX_IT-Col_FLUXNET2015_SUBSET_DD_1996-2014_1-4.csv").years == (1996, 2014)


@pytest.mark.parametrize(
    "name",
    [
        "FLX_AA-Flx_BIF_LATEST.csv",
        "AMF_US-A10_FLUXNET_BIF_2011-2022_v1.3_r1.csv",
        "ICOSETC_FR-Bil_SITEINFO_L2.csv",
        "AMF_AA-Flx_BIF_20240101.xlsx",
        "AMF_AA-Net_BIF_CCBY4_20240301.xlsx",
        "AMF_AA-Flx_FLUXNET-BIF_CCBY4_20241017.xlsx",
        "AMF_AA-Flx_FLUXNET-BIF_LEGACY_20221210.csv",
        "FLX_AA-Flx_BIF_DD_20200501.xlsx",
        "AMF_US-Ha1_BASE-BADM/AMF_US-Ha1_BIF_20230101.csv",
    ],
)
def test_metadata_files_are_recognised(name):
    assert parse_name(name).content == "metadata"


@pytest.mark.parametrize(
    "name",
    [
        "AMF_US-A10_FLUXNET_ERA5_DD_1981-2022_v1.3_r1.csv",
        "FLX_IT-Col_FLUXNET2015_ERAI_DD_1989-2014_1-4.csv",
        "FLX_IT-Col_FLUXNET2015_AUXNEE_1996-2014_1-4.csv",
        "FLX_FR-Pue_FLUXNET2015_FULLSET_MM_2007-2014_2-3.csv",
        "notes_US-Ha1_FULLSET_DD.xlsx",
        "readme.txt",
    ],
)
def test_files_that_are_not_needed_are_left_alone(name):
    assert parse_name(name).content == "other"


def test_units_of_columns_are_recognised_with_their_time_step():
    found = parse_name("AMF_US-A10_FLUXNET_BIFVARINFO_DD_2011-2022_v1.3_r1.csv")
    assert (found.content, found.site_id, found.resolution) == ("units", "US-A10", "DD")


def test_reanalysis_is_never_taken_for_the_tower():
    """ERA5 and FLUXMET rows double after a naive concatenation of all DD files."""
    assert parse_name("AMF_US-A10_FLUXNET_ERA5_DD_1981-2022_v1.3_r1.csv").content == "other"


@pytest.mark.parametrize("site_id", ["US-Ha1", "FR-Bil", "SE-Svb", "US-xDS"])
def test_site_ids(site_id):
    assert is_site_id(site_id)


@pytest.mark.parametrize(
    "text", ["", "AA-Flx", "us-ha1", "US-Ha1\n", "US-../x", "US-a", "US-abcde", "US-Ha1;"]
)
def test_hostile_site_ids_are_refused(text):
    assert not is_site_id(text)
    assert parse_name(f"FLX_{text}_FLUXNET2015_FULLSET_DD_2001-2002_1-4.csv").site_id == ""
