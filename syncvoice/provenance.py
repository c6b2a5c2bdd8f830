"""Digests of the project's own code, so that an edit reruns what uses it and a comment reruns nothing."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "syncvoice"
ROOT = Path(__file__).resolve().parent


def code_digest(*modules: str) -> str:
    """Return a digest of the syntax trees of `modules` and of all our modules that they import, transitively.

    Imports inside functions count; comments, layout and docstrings do not. Data files beside an imported module belong
    to it. A module that does not exist counts as absent, so that a workflow can be planned around it.

    Args:
        modules: dotted names, e.g. "syncvoice.commands.train"; "syncvoice.features.*" means every module of a package.
    """
    digest = hashlib.sha256()
    for name in sorted(reachable(*modules)):
        digest.update(f"{name}={_module_digest(name)}\n".encode())
    return digest.hexdigest()[:16]


def reachable(*modules: str) -> set[str]:
    """Return the dotted names of our modules that `modules` import, transitively, themselves included."""
    found: set[str] = set()
    waiting = [name for pattern in modules for name in _expand(pattern)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


def imported_by(module: str) -> list[str]:
    """Return the dotted names of our modules in one module's own import statements, those inside functions included."""
    tree = _tree(module)
    return [] if tree is None else [name for name in dict.fromkeys(_import_names(tree)) if _file_of(name)]


def _expand(pattern: str) -> list[str]:
    """Return the modules that a name or `package.*` stands for."""
    if not pattern.endswith(".*"):
        return [pattern]
    package = pattern.removesuffix(".*")
    folder = ROOT.joinpath(*package.split(".")[1:])
    return [package, *(f"{package}.{file.stem}" for file in sorted(folder.glob("*.py")) if file.stem != "__init__")]


@cache
def _file_of(name: str) -> Path | None:
    """Return the file of a module or package, None if there is none."""
    path = ROOT.joinpath(*name.split(".")[1:])
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in candidates if file.is_file()), None)


@cache
def _tree(name: str) -> ast.Module | None:
    """Return the syntax tree of a module without its docstrings."""
    file = _file_of(name)
    if file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
    return tree


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements after the docstring."""
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_docstring and isinstance(first.value.value, str) else body  # type: ignore[union-attr]


@cache
def _imports(name: str) -> tuple[str, ...]:
    """Return our modules that one module imports, and the packages that hold it."""
    tree = _tree(name)
    if tree is None:
        return ()
    parents = tuple(name.rsplit(".", depth)[0] for depth in range(1, name.count(".") + 1))
    return (*parents, *dict.fromkeys(_import_names(tree)))


def _import_names(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names of our modules in the import statements of a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _is_ours(node.module):
            yield node.module
            members = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (member for member in members if _file_of(member))


def _is_ours(name: str) -> bool:
    """Tell whether a dotted name lies in this package."""
    return name == PACKAGE or name.startswith(PACKAGE + ".")


@cache
def _module_digest(name: str) -> str:
    """Return the digest of a module's syntax tree and, for a package, of the data files in its folder."""
    tree, file = _tree(name), _file_of(name)
    if tree is None or file is None:
        return "absent"
    digest = hashlib.sha256(ast.dump(tree).encode())
    if file.name == "__init__.py":
        for data in sorted(file.parent.iterdir()):
            if data.is_file() and data.suffix != ".py":
                digest.update(data.name.encode() + data.read_bytes())
    return digest.hexdigest()
