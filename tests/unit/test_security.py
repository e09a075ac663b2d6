"""Hostile names, archives that explode, secrets in the environment: nothing comes of them."""

import ast
import os
import re
import string
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tower_files import badm_text, daily_frame, write_zip

from tamflux.errors import InputError
from tamflux.readers.cds_zip import unpack
from tamflux.readers.oneflux import archive
from tamflux.readers.oneflux.archive import list_members
from tamflux.readers.oneflux.names import is_site_id, parse_name
from tamflux.report.page import Section, render
from tamflux.report.tables import Table
from tamflux.towers.harmonise import harmonise_towers

REPO = Path(__file__).parents[2]
HOSTILE = (
    "../../x", "/etc/passwd", "a\nb", 'a"; touch pwned; "', "$(touch pwned)", "`touch pwned`",
    "=HYPERLINK(1)", "+1", "@SUM(A1)", "<script>alert(1)</script>", "{{ 7*7 }}", "a,b", "C:\\x",
    "-rf", "%s%n", "\u202egpj", "' OR 1=1 --", "\x1b[31m", "a\x00b",
)  # fmt: skip
LIMITS = {"min_coverage": 0.8, "min_days": 20, "max_abs_flux": 50}


def harmonise(folder, site_table=None):
    out = [folder / "out" / name for name in ("fluxes.parquet", "sites.csv", "rejected.csv")]
    paths = [*folder.glob("*.zip"), *folder.glob("*.csv")]
    harmonise_towers(paths, *out, site_table=site_table, **LIMITS)
    tables = [pd.read_parquet(out[0])]
    return tables + [pd.read_csv(path, dtype=str, keep_default_na=False) for path in out[1:]]


def snapshot(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@given(st.text(string.printable + "éＵＳ１٣", max_size=20) | st.sampled_from(HOSTILE))
def test_a_site_id_is_letters_digits_and_a_dash(text):
    for site in (text, parse_name(f"FLX_{text}_FLUXNET2015_FULLSET_DD_2001.csv").site_id):
        if site is not None and is_site_id(site):
            assert re.fullmatch(r"[A-Z]{2}-[A-Za-z0-9]{2,4}", site) and site.isascii()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_a_tower_zip(tmp_path, name):
    """As a member, as a site's name, as a metadata file: nothing is written outside `out`."""
    site = badm_text("US-Ha1", SITE_NAME=name)
    path = write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"DD": daily_frame(40)}, site)
    before = snapshot(tmp_path.parent)
    tables = harmonise(tmp_path)
    row = tables[1].set_index("site_id").loc["US-Ha1"]
    assert row["site_name"].isprintable() and row["site_name"][:1] not in {*"=+-@"}
    assert set(row["site_name"]) <= {*name}
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(f"{name}_FLX_US-Ha2_FLUXNET2015_FULLSET_DD_2001-2002_1-4.csv", "x,y\n")
        target.writestr(f"FLX_{name}_FLUXNET2015_FULLSET_DD_2001-2002_1-4.csv", "TIMESTAMP\n")
    write_zip(tmp_path, "ICOS", "FR-Bil", {"DD": daily_frame(40)}, badm_text("FR-Bil", lat=44))
    fluxes, sites, _ = harmonise(tmp_path)
    assert set(fluxes["site_id"]) == set(sites["site_id"]) <= {"US-Ha1", "FR-Bil"}
    inside = {str(Path(tmp_path.name) / part) for part in
              ("out", "out/fluxes.parquet", "out/sites.csv", "out/rejected.csv")}  # fmt: skip
    archives = {f"{tmp_path.name}/{path.name}" for path in tmp_path.glob("*.zip")}
    assert set(snapshot(tmp_path.parent)) - set(before) <= inside | archives


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_site_ids_in_the_users_table(tmp_path, name):
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"DD": daily_frame(40)})
    table = tmp_path / "sites.txt"
    rows = {"site_id": [name], "lat": [1.0], "lon": [1.0], "igbp": ["DBF"]}
    pd.DataFrame(rows).to_csv(table, index=False)
    with pytest.raises(InputError, match=r"malformed site id|cannot be read"):
        harmonise(tmp_path, table)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_report_escapes_every_string(name):
    table = Table(caption=name, columns=[name], rows=[[name]], text={0})
    listing = {"title": name, "text": name}
    section = Section(id="a", title=name, texts=[name], tables=[table], listings=[listing])
    card = {"value": name, "label": name}
    page = {"title": name, "subtitle": name, "cards": [card], "notice": name, "footer": name}
    html = render(page | {"sections": [section]})
    assert "<script>alert" not in html and "49" not in html.split("</style>")[1]
    assert not re.search(r"""<[a-z]+[^>]*\son\w+=""", html.split("</style>")[1])


def big_zip(path, name, size, members=1):
    """A zip whose members are zeros: they unpack to about a thousand times the file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for number in range(members):
            target.writestr(name.format(number), bytes(size))
    return path


def test_archives_cannot_explode(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    tower = big_zip(tmp_path / "a.zip", "FLX_US-Ha1_FLUXNET2015_FULLSET_DD_2001-2002.csv", 10**7)
    with (
        pytest.raises(InputError, match="more than tower data can be"),
        list_members(tower)[0].open() as stream,
    ):
        stream.read()
    era5 = big_zip(tmp_path / "b.zip", "a.nc", 10**7)
    with pytest.raises(InputError, match="implausible size"):
        unpack(era5, tmp_path / "scratch")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    with pytest.raises(InputError, match="more entries"):
        list_members(big_zip(tmp_path / "d.zip", "{}.csv", 10, members=11))
    many = big_zip(tmp_path / "e.zip", "{}.nc", 10, members=1001)
    with pytest.raises(InputError, match="more files than the store delivers"):
        unpack(many, tmp_path / "scratch")


def test_messages_cannot_steer_a_terminal(tmp_path):
    """What a file's name or content says is shown, not obeyed."""
    path = big_zip(tmp_path / "a.zip", "../\x1b[2Jx.csv", 10)
    with pytest.raises(InputError, match="escapes its folder") as info:
        list_members(path)
    assert "\x1b" not in str(info.value)
    assert "\x1b" not in str(InputError("a", file="\x1b]0;x\x07", found="\r\x9b31m"))


def test_a_zip_in_a_zip_is_not_opened(tmp_path):
    """An archive of archives unpacks without end; one level is all that providers use."""
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"DD": daily_frame(40)})
    inner = next(tmp_path.glob("*.zip"))
    content = inner.read_bytes()
    inner.unlink()
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.writestr(inner.name, content)
    with pytest.raises(InputError, match="no site is left"):
        harmonise(tmp_path)


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    """zipfile would write a link's target as text; it is no NetCDF, and nothing is written."""
    link = zipfile.ZipInfo("x.nc")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        target.writestr(link, "/etc/passwd")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(InputError, match="zip holds no NetCDF file"):
        unpack(tmp_path / "a.zip", tmp_path / "scratch")
    assert not list((tmp_path / "scratch").iterdir())


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@pytest.mark.parametrize("path", sorted((REPO / "src").rglob("*.py")), ids=lambda path: path.name)
def test_nothing_loads_code_from_data(path):
    """No pickle, `torch.load`, `np.load` of objects, YAML tags, eval, or shell."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            assert not FORBIDDEN & {part for name in names for part in name.split(".")}
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "compile", "os.system", "yaml.load"}
            if called == "torch.load":
                assert "weights_only=True" in map(ast.unparse, node.keywords)
            keywords = {keyword.arg for keyword in node.keywords}
            assert not {"shell", "allow_pickle"} & keywords, f"line {node.lineno}"


def test_rules_build_no_shell_command():
    for path in [REPO / "Snakefile", *sorted((REPO / "workflow/rules").glob("*.smk"))]:
        assert not re.search(r"^\s*shell:", path.read_text(), re.MULTILINE), path


def test_secrets_stay_out_of_logs_and_results(tmp_path):
    """Credentials of the environment and of the home folder are in nothing that a run writes."""
    secret = "s3cr3t-0f-th3-t3st"
    (tmp_path / ".cdsapirc").write_text(f"url: https://x\nkey: {secret}\n")
    (tmp_path / ".netrc").write_text(f"machine x login y password {secret}\n")
    home = {"HOME": str(tmp_path), "CDSAPI_KEY": secret, "EARTHDATA_TOKEN": secret,
            "AWS_SECRET_ACCESS_KEY": secret, "EARTHDATA_PASSWORD": secret}  # fmt: skip
    out = tmp_path / "run"
    write_zip(tmp_path, "FLUXNET2015", "US-Ha1", {"DD": daily_frame(40)})
    program = (
        "import sys; from pathlib import Path; from tamflux.logs import job_log\n"
        "from tamflux.towers.harmonise import harmonise_towers\n"
        "out, folder = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "with job_log(out / 'a.log', 'a'):\n"
        "    harmonise_towers(list(folder.glob('*.zip')), out / 'f.parquet', out / 's.csv',\n"
        "        out / 'r.csv', site_table=None, min_coverage=.8, min_days=20, max_abs_flux=50)\n"
        "with job_log(out / 'b.log', 'b'):\n"
        "    harmonise_towers([], out / 'f', out / 's', out / 'r', site_table=None,\n"
        "        min_coverage=.8, min_days=20, max_abs_flux=50)\n"
    )
    command = [sys.executable, "-c", program, str(out), str(tmp_path)]
    done = subprocess.run(command, env=os.environ | home, capture_output=True, text=True)
    assert done.returncode == 1 and "there is no tower file" in done.stderr
    assert secret not in done.stdout + done.stderr
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) >= 5
    for path in written:
        assert secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("module", ["acdd", "inputs", "metadata", "netcdf", "ilamb"])
def test_provenance_does_not_look_at_the_machine(module):
    """Attributes of the product follow from the configuration, never from the environment."""
    source = (REPO / f"src/tamflux/product/{module}.py").read_text()
    assert not re.search(r"environ|expanduser|gethostname|getuser|getcwd|Path\.home|now\(", source)
