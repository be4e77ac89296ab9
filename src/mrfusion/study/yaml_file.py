"""YAML files by the safe loader, with nothing in them that a reader would not expect: no aliases, no key twice."""

from pathlib import Path
from typing import Any

import yaml

from mrfusion.errors import SpecError, reason

LONGEST_TEXT, DEEPEST = 2**20, 50


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's keys by the safe loader; SpecError for anything else, aliases included.

    Aliases are refused because a few lines of them expand to gigabytes.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(LONGEST_TEXT + 1)
        _check_size(text, path)
        _check_keys_once(yaml.compose(text, Loader=yaml.SafeLoader), path)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        hint = "text with brackets stands in quotes, as in plan: 'separate[mean]'"
        raise SpecError(f"expected a YAML file at {path}, found: {error}\n({hint})") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: bytes, a day or a number that cannot be
        raise SpecError(f"expected a YAML file at {path}, found: {reason(error)}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SpecError(f"{path}: expected keys and values, found {type(content).__name__}")
    return content


def _check_size(text: str, path: Path) -> None:
    """SpecError for what a few lines, or very many, would make endless: aliases, nesting, sheer length."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise SpecError(f"{path}: YAML aliases (*name) are not read; write the value out")
        if depth > DEEPEST or len(text) > LONGEST_TEXT:
            raise SpecError(
                f"{path}: expected a YAML file of at most {LONGEST_TEXT} letters, nested {DEEPEST} deep; shorten it"
            )


def _check_keys_once(node: yaml.Node | None, path: Path) -> None:
    """SpecError where a key stands twice: YAML would drop the first, and with it an arm or a setting."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            line = node.start_mark.line + 1
            raise SpecError(f"{path}: the key {twice!r} stands twice in what begins in line {line}; rename or drop one")
        for _, value in node.value:
            _check_keys_once(value, path)
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys_once(value, path)
