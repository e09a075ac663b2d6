"""Compare the installed distributions with the lock and its licences; ask for known weaknesses.

Exit 1 where the lock does not meet a requirement of pyproject.toml, an installed distribution is
not in the lock, or a licence is not an open one. Where the database of weaknesses answers, the
verdict of pip-audit counts too; where it does not, that is said.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPO = Path(__file__).parents[2]
LOCK = REPO / "requirements.lock"
OWN = {"tamflux", "pip", "setuptools", "wheel", "uv", "pip-audit"}
"""The project, and the installers."""

OPEN = (
    "apache", "bsd", "mit", "isc", "psf", "python", "mpl", "mozilla", "zlib", "unlicense", "lgpl",
    "gnu lesser", "lesser general", "hpnd", "cnri", "public domain", "cc0", "0bsd", "boost",
    "artistic", "epl", "wtfpl",
)  # fmt: skip
"""Words of licences under which a dependency may be used and passed on with the project."""
CLOSED_BUT_NEEDED = re.compile(r"nvidia-.*|cuda-.*")
"""NVIDIA's libraries, which torch and xgboost need on Linux; installed from PyPI, not passed on."""
TOOLS = {"codespell"}
"""Programs that look at the code in development, under the GPL; no part of what is passed on."""


def plain(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, set[str]]:
    """Name -> versions of the lock (two where they depend on Python's); each must have a hash."""
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.read_text())
    found: dict[str, set[str]] = {}
    for entry in entries:
        if match := re.match(r"([a-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", entry):
            assert "--hash=sha256:" in entry, f"{match[1]} has no hash in the lock"
            found.setdefault(plain(match[1]), set()).add(match[2])
    return found


def required() -> dict[str, SpecifierSet]:
    """Name -> versions that pyproject.toml allows."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    requirements = [Requirement(text) for items in lists for text in items]
    return {plain(each.name): each.specifier for each in requirements}


def licence(distribution: metadata.Distribution) -> str:
    """What the metadata say of the licence, or the first lines of the licence's file."""
    data = distribution.metadata
    classifiers = [text.rpartition("::")[2] for text in data.get_all("Classifier", [])
                   if text.startswith("License")]  # fmt: skip
    texts = [data.get("License-Expression") or "", *classifiers, (data.get("License") or "")[:300]]
    if not any(texts):
        files = [f for f in distribution.files or () if re.match("LICEN[CS]E|COPYING", f.name)]
        texts = [file.read_text()[:300] for file in files[:1]]
    return " / ".join(" ".join(text.split()) for text in texts if text.strip())


def faults() -> list[str]:
    """All that is wrong, one line each."""
    lock, wrong = locked(), []
    for name, allowed in required().items():
        found = lock.get(name, set())
        if name not in OWN and (not found or any(each not in allowed for each in found)):
            wrong.append(f"{name}{allowed} of pyproject.toml is {found or 'not'} in the lock")
    for distribution in metadata.distributions():
        name, version = plain(distribution.metadata["Name"]), distribution.version
        if name in OWN:
            continue
        if version.partition("+")[0] not in lock.get(name, set()):
            wrong.append(f"{name} {version} is installed, the lock has {lock.get(name)}")
        if name in TOOLS or CLOSED_BUT_NEEDED.match(name):
            continue
        terms = licence(distribution)
        if not any(word in terms.lower() for word in OPEN):
            wrong.append(f"{name} {version} has the licence {terms[:80] or 'unknown'!r}")
    return wrong


def known_weaknesses() -> tuple[bool, str]:
    """Whether pip-audit found any, and its verdict."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--disable-pip",
               "--require-hashes", "--progress-spinner", "off"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        return False, "the database of weaknesses does not answer: not asked"
    said = done.stdout + done.stderr
    if "could not be audited" in said or "ConnectionError" in said or "No module" in said:
        return False, "the database of weaknesses cannot be reached: the lock was reviewed alone"
    return done.returncode != 0, said.strip()


def main() -> int:
    """0 where nothing is wrong."""
    wrong = faults()
    print("\n".join(wrong) or f"{len(locked())} distributions locked, installed ones all open")
    bad, said = known_weaknesses()
    print(said)
    return int(bool(wrong) or bad)


if __name__ == "__main__":
    sys.exit(main())
