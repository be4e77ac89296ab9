"""A file name that a run or a study leaves is spelled in ``run_folder`` alone (design, rule 7)."""

import ast
import re
from pathlib import Path

import mrfusion

ROOT = Path(mrfusion.__file__).parent
NAME = re.compile(r"[a-z_]+\.(json|csv|npz|pt|lock|safetensors)")
NUMBERED = {"slices", "volumes", "energies", "fused"}  # folders of numbered arrays
ELSEWHERE = {"datalist.json", "dataset.json"}  # of other programs, which a layout and a conversion read and write


def spelled(path: Path) -> tuple[set[str], set[str]]:
    """The file names that a module holds as texts of their own, and what it puts behind a slash of a path or globs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    files = {text for text in texts if isinstance(text, str) and NAME.fullmatch(text)}
    return files, {part for node in ast.walk(tree) for part in _folders(node)}


def _folders(node: ast.AST) -> list[str]:
    """``x / "slices"`` and ``x.glob("slices/*")``."""
    parts = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = [node.right]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("glob", "rglob"):
        parts = node.args
    found = [_text(part) for part in parts]
    return [text.partition("/")[0] for text in found if text and "." not in text.partition("/")[0]]


def _text(node: ast.expr) -> str:
    """The constant beginning of a text."""
    if isinstance(node, ast.JoinedStr):
        return _text(node.values[0]) if node.values else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_names_of_files_are_spelled_in_one_room() -> None:
    rooms = sorted((ROOT / "run_folder").glob("*.py"))
    files = set[str]().union(*(spelled(path)[0] for path in rooms))
    folders = NUMBERED.union(*(spelled(path)[1] for path in rooms))
    assert {"spec.json", "history.csv", "scores.csv", "energy.csv", "study.json", "model.safetensors"} <= files
    assert {"runs", "progress", "subsets", "predictions"} <= folders
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        if path not in rooms:
            mine, below = spelled(path)
            wrong += [
                f"{path.relative_to(ROOT)} spells {name}" for name in (mine & files - ELSEWHERE) | (below & folders)
            ]
    assert not wrong, "\n".join(wrong)
