"""Identity of code and files, so that a stage reruns when, and only when, it must."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent
NUMBERLESS = ("errors", "files", "logs", "checksums", "provenance", "job", "check")
"""Modules that say, keep or guard results and cannot change a number in them."""


def code_hash(*modules: str | Path) -> str:
    """Hash of the code of `modules` and of all `tamflux` modules they import, directly or not.

    A change that cannot change a number does not change the hash: comments, docstrings, layout,
    the words of errors and of log messages, and the modules of `NUMBERLESS` do not count.
    A package stands for all of its modules.

    Parameters
    ----------
    modules : str or Path
        Dotted names below `tamflux`, such as ``"tamflux.inference"``; or scripts.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    seen: set[Path] = set()
    todo = [path for name in modules for path in _files(name)]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += _imports(path)
    digest = hashlib.sha256()
    for path in sorted(seen):
        inside = path.is_relative_to(SOURCE)
        digest.update((path.relative_to(SOURCE).as_posix() if inside else path.name).encode())
        digest.update(_meaning(path).encode())
    return digest.hexdigest()[:16]


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(name: str | Path) -> list[Path]:
    """Files of a dotted module name: the module, or every module of the package; or the script."""
    if isinstance(name, Path):
        return [name]
    stem = SOURCE.joinpath(*name.split(".")[1:])
    if stem.is_dir():
        return sorted(stem.rglob("*.py"))
    module = stem.with_suffix(".py")
    if not module.is_file():
        raise ModuleNotFoundError(f"no module {name} to hash")
    return [module]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _meaning(path: Path) -> str:
    """The syntax tree as text, without docstrings and the words of messages."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                item
                for item in node.body
                if not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
            ] or [ast.Pass()]
    helpers = _error_helpers(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_message(node.func, helpers):
            _drop_words(node)
    return ast.dump(tree)


def _error_helpers(tree: ast.Module) -> set[str]:
    """Functions whose annotation says that they return an error, or never return."""
    functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.returns)
    return {n.name for n in functions if _says_error(ast.unparse(n.returns))}


def _says_error(name: str) -> bool:
    return name.endswith(("Error", "NoReturn"))


def _is_message(called: ast.expr, helpers: set[str]) -> bool:
    """Whether a call makes an error or writes to the log."""
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.value.id in ("log", "warnings") or _says_error(called.attr)
    return isinstance(called, ast.Name) and (called.id in helpers or _says_error(called.id))


def _drop_words(call: ast.Call) -> None:
    """Empty the string literals among the arguments of a call, however deep."""
    for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
        for node in ast.walk(argument):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""


@cache
def _imports(path: Path) -> list[Path]:
    """Files of the tamflux modules that one file imports, anywhere in it."""
    found: list[Path] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # `from tamflux.a import b`: b may be a module of the package a, or a name in it
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != "tamflux":
                continue
            # importing a.b.c runs a/__init__ and a.b/__init__ too
            found += [
                init
                for depth in range(1, len(parts) + 1)
                if (init := SOURCE.joinpath(*parts[1:depth], "__init__.py")).is_file()
            ]
            module = SOURCE.joinpath(*parts[1:]).with_suffix(".py")
            if module.is_file():
                found.append(module)
    return [path for path in found if path not in {SOURCE / f"{name}.py" for name in NUMBERLESS}]
