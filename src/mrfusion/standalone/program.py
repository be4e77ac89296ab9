"""A module and everything of mrfusion that it names, as the text of one file that needs no mrfusion.

The definitions are taken from the sources as they are, so that what goes with an exported network cannot compute
anything else than mrfusion does.
"""

import ast
import builtins
import importlib.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

OURS = "mrfusion."


def program(module: str) -> str:
    """The text of ``module`` with the definitions that it imports from mrfusion written out, those needed first."""
    own = _source(module)
    found = _Found(module)
    for name in own.defined:
        found.take(module, name)
    closing = [text for node in own.tree.body if isinstance(node, ast.If) and (text := own.text(node))]
    heading = f'"""{ast.get_docstring(own.tree, clean=False)}"""'
    made = f"# Made by mrfusion from its own sources ({module} and what it needs)."
    imports = sorted(found.imports, key=lambda line: (line.startswith("from"), line))
    future = "from __future__ import annotations"
    return "\n\n".join((heading, made, future, "\n".join(imports), *found.texts, *closing)) + "\n"


@dataclass(frozen=True)
class _Source:
    """A module's text and what stands at its top level."""

    lines: tuple[str, ...]
    tree: ast.Module
    defined: dict[str, ast.stmt]
    imported: dict[str, tuple[str, str]]

    def text(self, node: ast.stmt) -> str:
        """The lines of a definition, its decorators too."""
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(each.lineno for each in decorators)])
        return "\n".join(self.lines[first - 1 : node.end_lineno])


@dataclass
class _Found:
    """What was taken so far. A name that the first module defines itself is its own wherever it is used."""

    own: str
    texts: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)

    def take(self, module: str, name: str) -> None:
        """Take a definition, after everything that it names."""
        if self.taken.setdefault(name, module) != module:
            raise ValueError(f"{module} and {self.taken[name]} both define {name}; rename one of them")
        source = _source(module)
        node = source.defined[name]
        for other in _names(node):
            self._need(source, module, other, but=name)
        if (text := source.text(node)) not in self.texts:
            self.texts.append(text)

    def _need(self, source: _Source, module: str, name: str, *, but: str) -> None:
        if name == but or name in self.taken:
            return
        if name in source.defined:
            self.take(module, name)
        elif name in source.imported:
            place, line = source.imported[name]
            if place.startswith(OURS):
                self.take(self.own if name in _source(self.own).defined else place, name)
            else:
                self.imports.add(line)


@cache
def _source(module: str) -> _Source:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ValueError(f"{module} has no source")
    text = Path(found.origin).read_text(encoding="utf-8")
    tree = ast.parse(text)
    defined: dict[str, ast.stmt] = {}
    imported: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            defined[node.targets[0].id] = node
        elif isinstance(node, ast.Import):
            imported |= {(a.asname or a.name).split(".")[0]: (a.name, _import(a)) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            place = str(node.module)
            imported |= {a.asname or a.name: (place, f"from {place} {_import(a)}") for a in node.names}
    return _Source(tuple(text.splitlines()), tree, defined, imported)


def _import(alias: ast.alias) -> str:
    return f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")


def _names(node: ast.AST) -> list[str]:
    """Every name that is read in a definition, in annotations too, in order."""
    found = [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not hasattr(builtins, each.id)]
    return list(dict.fromkeys(found))
