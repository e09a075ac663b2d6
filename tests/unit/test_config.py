import ast
import copy
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from tamflux.config import (
    RENAMED,
    RENAMED_MODELS,
    check_config,
    refuse_old_names,
    use_released_model,
)
from tamflux.errors import ConfigError
from tamflux.extra_predictors import dynamic_names, files_of_year
from tamflux.model.components import COMPONENTS_OF_MODEL
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


def read_names(source):
    """Names that Python code looks up in a mapping, or takes as an argument or a field.

    Words of docstrings, comments and messages are not among them.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript):
            names |= {part.value for part in ast.walk(node.slice) if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get" and node.args:
            names.add(getattr(node.args[0], "value", None))
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):  # keys of a loop over a section
            names |= {part.value for part in node.elts if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_every_key_is_read_somewhere():
    names = set()
    for path in [*(REPO / "workflow/scripts").glob("*.py"), *(REPO / "src").rglob("*.py")]:
        names |= read_names(path.read_text())
    for path in [REPO / "Snakefile", *(REPO / "workflow").rglob("*.smk")]:
        text = re.sub(r"#.*", "", path.read_text())
        names |= set(re.findall(r"\[f?[\"'](\w+)[\"']\]", text))
        for listed in re.findall(r"\(\s*(\"\w+\"(?:,\s*\"\w+\")+),?\s*\)", text):
            names |= set(re.findall(r"\w+", listed))
        for listed in re.findall(r"\"([\w ]+)\"\.split\(\)", text):
            names |= set(listed.split())
    unread = {key.split(".")[-1] for key in keys(CONFIG)} - names
    assert not unread


def test_a_word_in_a_docstring_or_a_message_reads_no_key():
    source = '''
def f(section, *, limit):
    """Says what min_days is."""
    # max_abs_flux
    raise ValueError(f"towers.min_coverage {section['folds']}", section.get("split"))
'''
    names = read_names(source)
    assert {"section", "limit", "folds", "split"} <= names
    assert not names & {"min_days", "max_abs_flux", "min_coverage", "towers"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("years: {spinup: [2000]}", "years.lookback"),
        ("model: {code_size: 4}", "model.embedding_size"),
        ("comparison: {models: [tamrl_without_code]}", "tamrl_without_task_embedding"),
        ("comparison: {models: [tamrl, tamrl_without_memory]}", "tamrl_without_moving_averages"),
    ],
)
def test_a_name_of_an_earlier_version_is_refused_with_its_new_name(old, new):
    config = copy.deepcopy(CONFIG)
    merge(config, yaml.safe_load(old))
    with pytest.raises(ConfigError, match="new name") as error:
        refuse_old_names(config)
    assert error.value.details["expected"] == new


def test_new_names_are_of_the_schema_and_of_the_present_models():
    refuse_old_names(CONFIG)
    assert set(RENAMED.values()) <= set(schema_keys(SCHEMA))
    assert set(RENAMED_MODELS.values()) <= set(COMPONENTS_OF_MODEL)
    assert not set(RENAMED_MODELS) & set(COMPONENTS_OF_MODEL)


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
        ("comparison", {"models": ["tamrl", "lstm_trees", "xgboost"]}, "without the models"),
        ("comparison", {"models": ["lstm_trees", "continuous_lstm"]}, "without the models"),
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


EXTRA = {"name": "sif", "units": "1", "range": [0, 1], "long_name": "s", "kind": "static"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([{"name": "t2m"}], "the name is taken"),
        ([{"name": "gpp"}], "the name is taken"),
        ([{}, {}], "the name is taken"),
        ([{"name": "sp_filled"}], "ends as those of flags do"),
        ([{"name": "lai_high", "units": "m"}], "units 'm'"),
        ([{"range": [1, 0]}], "range"),
        ([{"path": "a_{year}.nc"}], "path a_{year}.nc"),
    ],
)
def test_extra_predictors_that_contradict_are_refused(changes, found):
    config = copy.deepcopy(CONFIG)
    config["predictors"]["extra"] = [EXTRA | change for change in changes]
    jsonschema.validate(config, SCHEMA)
    with pytest.raises(ConfigError, match="an extra predictor cannot be used") as caught:
        check_config(config)
    assert found in str(caught.value)


def test_extra_predictors_follow_the_others_in_the_cube():
    config = copy.deepcopy(CONFIG)
    config["predictors"]["extra"] = [EXTRA, EXTRA | {"name": "co2", "kind": "dynamic"}]
    check_config(config)
    assert dynamic_names(config) == [*CONFIG["predictors"]["variables"], "co2"]
    years = {"train": [2002], "product": [2003, 2004], "lookback": []}
    assert files_of_year("a_{year}.nc", 2003, years) == ["a_2002.nc", "a_2003.nc"]
    assert files_of_year("a_{year}.nc", 2001, years) == ["a_2001.nc", "a_2002.nc"]
    assert files_of_year("a.zarr", 2003, years) == ["a.zarr"]


def test_towers_may_be_absent_with_a_released_model_alone():
    config = copy.deepcopy(CONFIG)
    config["inputs"]["towers"]["path"] = None
    with pytest.raises(ConfigError, match=r"inputs\.towers\.path"):
        check_config(config)
    config["inference"]["model"] = "models/any"
    use_released_model(config)
    check_config(config)


def test_a_released_model_trains_on_no_year_and_looks_back_to_those_before_the_product():
    config = copy.deepcopy(CONFIG)
    use_released_model(config)
    assert config == CONFIG  # nothing changes without a model
    config["inference"]["model"] = "models/any"
    config["years"] = {"train": [2001, 2002, 2003], "product": [2003, 2004], "lookback": []}
    use_released_model(config)
    assert config["years"] == {"train": [], "product": [2003, 2004], "lookback": [2002]}
    assert config["validation"]["truth"] is None
