import copy
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from tamflux.config import check_config
from tamflux.errors import ConfigError
from tamflux.variables import ASTRONOMY, METEOROLOGY, REFLECTANCE

REPO = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((REPO / "workflow/schemas/config.schema.yaml").read_text())
CONFIG = yaml.safe_load((REPO / "config.yaml").read_text())


def keys(tree, prefix=""):
    for name, value in tree.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


def schema_keys(schema, prefix=""):
    for name, value in schema.get("properties", {}).items():
        yield prefix + name
        yield from schema_keys(value, f"{prefix}{name}.")


def test_config_and_schema_have_the_same_keys():
    tables = ("real_towers.", "carbonfluxbench.")
    own_table = {key for key in schema_keys(SCHEMA) if key.startswith(tables)}
    assert set(keys(CONFIG)) == set(schema_keys(SCHEMA)) - own_table


def test_every_key_of_the_schema_is_described():
    def walk(schema, path):
        for name, value in schema.get("properties", {}).items():
            assert "description" in value, f"{path}{name} has no description"
            walk(value, f"{path}{name}.")
            if value.get("type") == "object":
                assert value.get("additionalProperties") is False, f"{path}{name} is open"

    walk(SCHEMA, "")


def test_the_predictors_of_the_schema_are_those_a_cube_may_hold():
    enum = SCHEMA["properties"]["predictors"]["properties"]["variables"]["items"]["enum"]
    assert enum == list(METEOROLOGY | ASTRONOMY | REFLECTANCE)


def test_every_key_is_read_somewhere():
    files = [REPO / "Snakefile", *(REPO / "workflow").rglob("*.smk")]
    files += [*(REPO / "workflow/scripts").glob("*.py"), *(REPO / "src").rglob("*.py")]
    words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in files)))
    assert {key.split(".")[-1] for key in keys(CONFIG)} <= words


@pytest.mark.parametrize(
    "overlay", sorted((REPO / "workflow/config").glob("*.yaml")), ids=lambda p: p.stem
)
def test_config_and_every_overlay_are_valid(overlay):
    config = copy.deepcopy(CONFIG)
    merge(config, yaml.safe_load(overlay.read_text()))
    jsonschema.validate(config, SCHEMA)
    check_config(config)


def merge(config, overlay):
    """As Snakemake merges a --configfile: mappings deeply, all else replaced."""
    for name, value in overlay.items():
        if isinstance(value, dict) and isinstance(config.get(name), dict):
            merge(config[name], value)
        else:
            config[name] = value


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("grid", {"resolution": 0.7}, "grid.resolution does not fit"),
        ("grid", {"tile_size": 1000}, "grid.tile_size is larger"),
        ("years", {"lookback": [2001]}, "years.lookback repeats"),
        ("years", {"lookback": [1990]}, "following year is not used"),
        ("predictors", {"variables": ["t2m"]}, "no variable of MODIS"),
        ("predictors", {"variables": ["ndvi"]}, "no variable of ERA5"),
    ],
)
def test_a_contradiction_is_named(section, change, message):
    config = copy.deepcopy(CONFIG)
    config[section] |= change
    with pytest.raises(ConfigError, match=message):
        check_config(config)


def test_two_tables_at_once_are_refused():
    tables = {"real_towers": {"folds": 2}, "carbonfluxbench": {"folder": "x"}}
    with pytest.raises(ConfigError, match="two tables"):
        check_config(CONFIG | tables)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("grid", {"resolutoin": 1}),
        ("training", {"device": "gpu"}),
        ("years", {"train": []}),
        ("inputs", {"landcover": ""}),
        ("inference", {"scheduler_address": "localhost"}),
    ],
)
def test_a_wrong_type_or_name_is_refused_by_the_schema(section, change):
    config = copy.deepcopy(CONFIG)
    config[section] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, SCHEMA)
