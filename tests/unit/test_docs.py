"""What the pages name is there: modules, rule files, linked files."""

import ast
import json
import pkgutil
import re
from pathlib import Path

import pytest
import yaml

import tamflux

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
names = [path.relative_to(ROOT).as_posix() for path in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_names_of_the_package_exist(page):
    for name in set(re.findall(r"\btamflux(?:\.\w+)+", page.read_text())):
        if not name.endswith((".yaml", ".nc")):
            pkgutil.resolve_name(name)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_rule_file_is_in_the_table_of_stages():
    table = (ROOT / "docs" / "architecture.md").read_text().split("Imports point one way")[0]
    rows = [row for row in table.splitlines() if ".smk" in row]
    named = [name for row in rows for name in re.findall(r"\w+\.smk", row)]
    files = {path.name for path in (ROOT / "workflow" / "rules").glob("*.smk")} - {"common.smk"}
    assert set(named) == files
    assert len({row.split("|")[1] for row in rows}) == len(rows)


def test_every_page_is_reached_from_the_first():
    reached, left = set(), [ROOT / "docs" / "index.md"]
    while left:
        page = left.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())
        left += [page.parent / link for link in links if not link.startswith("http")]
    assert {page.resolve() for page in ROOT.glob("docs/**/*.md")} <= reached


ALLOWED = {"tamflux", "numpy", "pandas", "xarray", "matplotlib", "pathlib"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/notebooks/*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_use_the_public_module_alone_and_hold_no_output(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells and not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    for node in (node for cell in cells for node in ast.walk(ast.parse("".join(cell["source"])))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= ALLOWED
        if isinstance(node, ast.ImportFrom):
            assert node.module == "pathlib"  # `from tamflux.x import y` is not public
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tamflux":
            assert node.attr in tamflux.__all__


def test_every_page_is_in_the_navigation():
    """And each entry is a page: mkdocs only warns of an entry that is none."""

    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        items = entry.values() if isinstance(entry, dict) else entry
        return [page for item in items for page in pages(item)]

    nav = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    files = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert sorted(nav) == sorted(files)


def test_commands_of_pages_and_workflows_are_targets_of_make():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    workflows = sorted(ROOT.glob(".github/workflows/*.yml"))
    for path in workflows:
        jobs = yaml.safe_load(path.read_text())["jobs"].values()
        commands = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        assert commands and all(command.split()[0] == "make" for command in commands), path
    text = "\n".join(path.read_text() for path in [*workflows, *PAGES, ROOT / ".ci" / "run"])
    named = re.findall(r"(?:`|^|run: )make ([a-z][a-z -]*)", text, re.MULTILINE)
    assert len(named) > 20
    assert {target for line in named for target in line.split()} <= targets
