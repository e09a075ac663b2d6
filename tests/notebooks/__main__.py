"""Execute the notebooks on a run, and write the pages that they become.

``python -m notebooks RUN`` executes each in the folder of a run and exits 1 where one fails;
``--write`` writes the pages of `PAGES` and their figures from the executed notebooks.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import MarkdownExporter

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "predict_at_a_site": "library", "my_site": "my_site", "my_region": "my_region",
    "my_year": "my_year",
}  # fmt: skip
"""Page of docs/ that a notebook becomes."""

NOTE = "*This page is the executed notebook `docs/notebooks/{}.ipynb`.{}*\n"
DEMO = " The run behind it is the demo Earth of `make run`: its fluxes are invented."
COARSE = """ The run behind it is
the coarse one of `make conformance`, whose tiny network has no skill to speak of."""


def execute(path: Path, run: Path) -> nbformat.NotebookNode:
    """A notebook with the outputs that it has in the folder of a run."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": str(run)}},
        extra_arguments=["--Application.log_level=ERROR"],
    )
    return client.execute()


def write_page(notebook: nbformat.NotebookNode, name: str, coarse: bool) -> None:
    """The page of a notebook; its figures go to docs/images."""
    page, note = PAGES[name], NOTE.format(name, COARSE if coarse else DEMO)
    exporter = MarkdownExporter()
    priority = {"display_data_priority": ["image/png", "text/plain"]}  # no HTML of xarray, pandas
    exporter.config.update({"NbConvertBase": priority})
    text, resources = exporter.from_notebook_node(notebook)
    for number, (name, content) in enumerate(resources["outputs"].items(), 1):
        target = f"images/{page}_{number}.png"
        (DOCS / target).write_bytes(content)
        text = text.replace(name, target)
    text = re.sub(r"<style.*?</style>\n*", "", text, flags=re.DOTALL)
    text = re.sub(r"^\n*(# .*\n)", lambda title: f"{title[1]}\n{note}", text, count=1)
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    text = text.replace("![png]", "![Figure]")
    (DOCS / f"{page}.md").write_text(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")


def main() -> int:
    """1 where a notebook fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path, help="folder that holds results/")
    parser.add_argument("--write", action="store_true", help="write the pages of docs/")
    given = parser.parse_args()
    failed = 0
    paths = sorted((DOCS / "notebooks").glob("*.ipynb"))
    for path in paths:
        try:
            notebook = execute(path, given.run.resolve())
        except CellExecutionError as error:
            failed += 1
            print(f"{path.name}:\n{error}")
            continue
        if given.write and path.stem in PAGES:
            write_page(notebook, path.stem, given.run.name == "conformance")
    print(f"notebooks: {len(paths) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
