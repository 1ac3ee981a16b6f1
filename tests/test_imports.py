"""The house: imports go down only, nothing is named twice, no room is crowded."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("rvsam_video", "trackers", "evals", "demos")

# From the top down; rooms of one line do not know each other.
FLOORS = (
    {"cli"},
    {"web", "demos"},
    {"evals", "training"},
    {"batch"},
    {"runs"},
    {"clips"},
    {"streaming"},
    {"methods"},
    {"points"},
    {"sinks"},
    {"trackers", "segmenters"},
    {"export"},
    {"prompts", "sources", "weights"},
    {"ground"},
)
GROUND = {
    "closing", "errors", "frame", "images", "json_values", "limits", "mask_rle", "palette",
    "part_settings", "picture_file", "presets", "registry", "results", "settings", "snapshot",
    "tables", "writing",
}  # fmt: skip
CROWDED = 24

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs the tree")


@cache
def modules() -> dict[str, Path]:
    """Every module by its name below the package, through no link."""
    found = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[0] == "rvsam_video":
                if parts[1] in FOLDERS:
                    continue
                parts = parts[1:]
            elif parts[:2] == ("demos", "examples"):
                continue  # scripts of users, who import the package from outside
            found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(name: str, path: Path) -> Iterator[str]:
    """Yield the modules of this package that a module imports, anywhere in its text."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                # Three dots from trackers.lucas_kanade lead to the package itself.
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *(node.module.split(".") if node.module else [])])
            elif (node.module or "").split(".")[0] == "rvsam_video":
                base = (node.module or "").partition(".")[2]
            else:
                continue
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                yield inner if inner in modules() else base
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("rvsam_video."):
                    yield alias.name.partition(".")[2]


def room(name: str) -> str:
    first = name.split(".", maxsplit=1)[0]
    return "ground" if first in GROUND else first


def floor(name: str) -> int:
    (number,) = (n for n, rooms in enumerate(FLOORS) if room(name) in rooms)
    return number


@pytest.mark.parametrize("name", sorted(set(modules()) - {"", "__main__"}))
def test_imports_go_down_only(name):
    for other in imports(name, modules()[name]):
        if not other or room(other) == room(name):
            continue
        assert floor(other) > floor(name), f"{name} imports {other}"


def test_there_is_no_circle():
    graph = {
        name: {other for other in imports(name, path) if other and other != name}
        for name, path in modules().items()
        if name
    }
    assert list(TopologicalSorter(graph).static_order())


def test_no_name_is_given_twice():
    homes = defaultdict(set)
    for name, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for defined in names_of(node):
                if not defined.startswith("_") and defined != "command":
                    homes[defined].add(name)
    assert {name: sorted(places) for name, places in homes.items() if len(places) > 1} == {}


def names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def test_no_room_is_crowded_and_every_room_has_a_door_that_says_what_for():
    rooms = defaultdict(list)
    for path in modules().values():
        rooms[path.parent].append(path.name)
    for place, files in rooms.items():
        assert len(files) <= CROWDED, place
        assert "__init__.py" in files, place
        text = ast.get_docstring(ast.parse((place / "__init__.py").read_text(encoding="utf-8")))
        assert text, place


def test_nothing_loose_but_the_ground():
    loose = {name for name in modules() if "." not in name and name not in {"", "__main__"}}
    packages = {name for name in loose if modules()[name].name == "__init__.py"}
    assert loose - packages - {"methods"} <= GROUND


@pytest.mark.parametrize("folder", FOLDERS[1:])
def test_the_outer_folders_import_relatively(folder):
    for name, path in modules().items():
        if name.split(".")[0] == folder:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and not node.level:
                    assert (node.module or "").split(".")[0] != "rvsam_video", name


def test_no_file_is_long():
    long = {name: count for name, path in modules().items() if (count := lines(path)) > 400}
    assert long == {}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
