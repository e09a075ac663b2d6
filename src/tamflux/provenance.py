"""Identity of code and files, so that a stage reruns when, and only when, it must."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent
NUMBERLESS = ("errors", "files", "logs", "checksums", "provenance", "job", "check", "config")
"""Modules that say, keep or guard results and cannot change a number in them."""

_WORDS = ("what", "reason", "found", "expected", "fix")
"""Parameters of a function of errors that hold words of the message."""


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
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    words = [argument for call in calls for argument in _words_of(call, helpers)]
    in_messages = {id(node) for argument in words for node in ast.walk(argument)}
    elsewhere = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        if id(node) not in in_messages
    }
    for node in tree.body:  # a constant of the module that messages alone use is words too
        if isinstance(node, ast.Assign) and isinstance(name := node.targets[0], ast.Name):
            used = any(
                isinstance(inner, ast.Name) and inner.id == name.id and id(inner) in in_messages
                for argument in words
                for inner in ast.walk(argument)
            )
            if used and name.id not in elsewhere | _imported_names():
                words.append(node.value)
    _drop_words(words)
    return ast.dump(tree)


@cache
def _imported_names() -> frozenset[str]:
    """Names that any module imports from another."""
    nodes = (node for path in SOURCE.rglob("*.py") for node in ast.walk(_tree(path)))
    return frozenset(
        alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    )


def _error_helpers(tree: ast.Module) -> dict[str, list[str]]:
    """Names of the parameters of each function of a file that makes or raises an error.

    Such a function says in its annotation that it returns an error or never returns, or it takes
    the words of a message as its parameter `what` or `reason`.
    """
    helpers = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
            names = names[1:] if names[:1] == ["self"] else names
            if node.returns and _says_error(ast.unparse(node.returns)):
                helpers[node.name] = ["what"] * len(
                    names
                )  # all that it is given is for the message
            elif {"what", "reason"} & {*names}:
                helpers[node.name] = names
    return helpers


def _says_error(name: str) -> bool:
    return name.endswith(("Error", "NoReturn"))


def _words_of(call: ast.Call, helpers: dict[str, list[str]]) -> list[ast.expr]:
    """Arguments of a call that are the words of an error or of the log; none of other calls."""
    function, owner = call.func, None
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        called, owner = function.attr, function.value.id
    elif isinstance(function, ast.Name):
        called = function.id
    else:
        return []
    keywords = [keyword.value for keyword in call.keywords]
    if owner in ("log", "warnings") or _says_error(called):
        return [*call.args, *keywords]
    if owner not in (None, "self") or called not in helpers:
        return []
    words = [arg for arg, name in zip(call.args, helpers[called], strict=False) if name in _WORDS]
    return words + [k.value for k in call.keywords if k.arg in _WORDS]


def _drop_words(arguments: list[ast.expr]) -> None:
    """Empty the string literals among the arguments of a call, however deep."""
    for argument in arguments:
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
