import tomllib
from pathlib import Path

import yaml

REPO = Path(__file__).parents[2]


def test_the_conda_environment_has_the_pins_of_the_package():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((REPO / "envs/tamflux.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == project["dependencies"]
    assert all("==" in pin for pin in project["dependencies"])
