"""The walls of the house: who may import whom, how large things may be, what they may be called."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import mrfusion
from mrfusion import families

ROOT = Path(mrfusion.__file__).parent
REPOSITORY = Path(__file__).parents[2]

FLOORS = {
    0: {
        "errors",
        "families",
        "kinds",
        "case",
        "plan",
        "part",
        "spec",
        "result",
        "files",
        "progress",
        "rules",
        "lock",
        "hardware",
    },
    1: {"surface", "comparison", "run_folder"},
    3: {"data", "model", "phantom"},
    4: {"training", "planning"},
    5: {"scoring", "conversion", "inspection", "standalone"},
    6: {"run", "finished_run", "outside"},
    7: {"study"},
    8: {"report"},
    9: {"command", "cli", "__main__"},
}
FAMILY_FLOOR = 2
BELOW_FAMILIES = {"metrics": {"surface"}}  # distances and lesions are computed once, there, for every metric
MOST_LOOSE_FILES = 14  # at the top level; every other module has a room
ADDRESS = re.compile(r"mrfusion\.([\w.]+):\w+")  # how a job names a function of another room as text
MAY_IMPORT_INSIDE = {"cli.py", "families.py"}
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "core", "misc", "manager", "base", "tools"}

FILES = sorted(ROOT.rglob("*.py"))
FAMILIES = {path.parent.name for path in ROOT.glob("*/_base.py")}


def address(path: Path) -> str:
    """``data.sample`` for src/mrfusion/data/sample.py; the package itself is empty."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def graph() -> dict[str, set[str]]:
    """Module -> the modules of mrfusion that it imports, wherever in the file."""
    known = {address(path) for path in FILES}
    return {address(path): {_module(name, known) for name in _imported(tree(path))} for path in FILES}


@cache
def addressed() -> list[tuple[str, str]]:
    """Module and the modules of mrfusion that it names as text, as jobs do: an import in other words."""
    return [
        (address(path), named)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for named in ADDRESS.findall(node.value)
    ]


def _imported(module: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import says its whole address"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.removeprefix("mrfusion.") for name in found if name.startswith("mrfusion.")]


def _module(name: str, known: set[str]) -> str:
    return name if name in known else name.rpartition(".")[0]


def floor(module: str) -> int:
    room = module.split(".")[0]
    if room in FAMILIES:
        return FAMILY_FLOOR
    found = [number for number, rooms in FLOORS.items() if room in rooms]
    assert found, f"{room} stands on no floor: say in FLOORS where it belongs"
    return found[0]


def is_choice(module: str) -> bool:
    room, *rest = module.split(".")
    return room in FAMILIES and bool(rest) and not rest[-1].startswith("_")


def edges() -> list[tuple[str, str]]:
    return [(module, other) for module, others in graph().items() for other in sorted(others) if module and other]


def test_the_tests_read_the_whole_house() -> None:
    assert len(FILES) > 100
    assert len(edges()) > 200
    assert {"fusions", "losses", "layouts", "metrics", "executors", "schedules"} <= FAMILIES


def test_imports_go_down() -> None:
    up = [f"{module} ({floor(module)}) knows {other} ({floor(other)})"
          for module, other in [*edges(), *addressed()] if floor(other) > floor(module)]  # fmt: skip
    assert not up, "\n".join(up)


def test_jobs_name_what_is_there() -> None:
    known = {address(path) for path in FILES}
    assert len(addressed()) >= 4
    assert not [named for _, named in addressed() if named not in known]


def test_no_two_rooms_know_each_other() -> None:
    """Neither directly nor round about, nor by the addresses that jobs name as text."""
    rooms: dict[str, set[str]] = {}
    for module, other in [*edges(), *addressed()]:
        one, two = module.split(".")[0], other.split(".")[0]
        if one != two:
            rooms.setdefault(one, set()).add(two)
    circles = {room: reached(room, rooms) for room in rooms if room in reached(room, rooms)}
    assert not circles, f"rooms that know each other: {sorted(circles)}"


def reached(room: str, rooms: dict[str, set[str]]) -> set[str]:
    """The rooms that a room knows, directly or through others."""
    found, left = set[str](), [room]
    while left:
        new = rooms.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def test_few_files_have_no_room() -> None:
    loose = sorted(path.name for path in ROOT.glob("*.py") if not path.name.startswith("__"))
    assert len(loose) <= MOST_LOOSE_FILES, loose


def test_families_stand_on_the_ground_and_on_their_own_base_alone() -> None:
    wrong = []
    for module, other in edges():
        room, target = module.split(".")[0], other.split(".")[0]
        if room not in FAMILIES or target in FLOORS[0] | BELOW_FAMILIES.get(room, set()):
            continue
        if target != room or is_choice(other):
            wrong.append(f"{module} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_machinery_asks_for_choices_by_name() -> None:
    wrong = [f"{module} imports the choice {other}" for module, other in edges() if is_choice(other)]
    assert not wrong, "\n".join(wrong)


def test_there_are_no_cycles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "cycle: " + " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in sorted(graph()[module]):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(graph()):
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300, "a file has at most 300 lines"
    assert "TYPE_CHECKING" not in text
    assert ast.get_docstring(tree(path)), "a module says what it is"
    assert not set(path.relative_to(ROOT).with_suffix("").parts) & EMPTY_NAMES, "a name says what is inside"
    if path.name == "__init__.py" and path.parent != ROOT:
        assert len(tree(path).body) == 1, "__init__ holds a docstring and nothing else: the path is the address"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_keep_the_rules(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} has more than 60 lines"
        if path.name != "cli.py":  # there a parameter is an option of a command
            assert _parameters(node) <= 7, f"{node.name}: where an eighth is wanted, a noun is missing"
        if path.name not in MAY_IMPORT_INSIDE:
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports inside"


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def test_monai_is_imported_in_few_named_files() -> None:
    """It takes many seconds; whoever adds a file here says why it cannot do without."""
    allowed = {
        "backbones._blocks",
        "backbones.monai",
        "augmentations._space",
        "data.resample",
        "losses.dice_ce",
        "training.predict",
    }
    found = {address(path) for path in FILES for node in ast.walk(tree(path))
             if any(n.split(".")[0] == "monai" for n in _roots(node))}  # fmt: skip
    assert found <= allowed, found - allowed


def _roots(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_every_family_says_what_its_choices_are() -> None:
    """The first line of a docstring is what ``mrfusion list`` prints."""
    for family in sorted(FAMILIES):
        for path in sorted((ROOT / family).glob("[!_]*.py")):
            line = (ast.get_docstring(tree(path)) or "").split("\n")[0]
            assert 10 <= len(line) <= 120, f"{path.name}: {line!r}"
            assert line[-1] in ".?!", f"{path.name}: {line!r}"


def test_tests_have_names_of_their_own() -> None:
    """Without __init__ files pytest tells test modules apart by their file names."""
    names = [path.name for path in (REPOSITORY / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    assert not list((REPOSITORY / "tests").rglob("__init__.py"))


def test_no_room_branches_on_the_words_of_a_task() -> None:
    """They are choices of the family tasks, which says what follows from them."""
    words = set(families.names("tasks"))
    allowed = {"schedules/joint.py"}  # its phase of that name, and what that phase is kept from
    wrong = [
        f"{path.relative_to(ROOT)}, line {node.lineno}"
        for path in FILES
        if path.parent.name != "tasks" and str(path.relative_to(ROOT)) not in allowed
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare | ast.Dict | ast.Subscript | ast.match_case)
        for word in ast.walk(node)
        if isinstance(word, ast.Constant) and word.value in words
    ]
    assert not wrong, wrong
    assert words >= {"segmentation", "classification"}
