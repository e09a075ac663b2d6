"""Requirements: ranges in pyproject.toml, the same in the conda environment, pins in the lock."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPO = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
LOCK = (REPO / "requirements.lock").read_text()


def test_the_conda_environment_has_the_requirements_of_the_package():
    environment = yaml.safe_load((REPO / "envs/tamflux.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == PROJECT["dependencies"]


def test_requirements_are_ranges_that_the_lock_meets():
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    pins = dict(re.findall(r"(?m)^([a-z0-9][\w.-]*)==([^\s;\\]+)", LOCK))
    for requirement in map(Requirement, (text for texts in lists for text in texts)):
        if requirement.name == "tamflux":
            continue
        operators = {each.operator for each in requirement.specifier}
        assert ">=" in operators and operators <= {">=", "<"}, requirement
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_lock_names_no_host_and_no_path():
    assert not re.search(r"https?://|file:|/tmp|/home|--index|--find-links", LOCK)
