"""The rooms of the package: no import runs up the map of CONTRIBUTING.md, and none in a circle."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "dcac").rglob("*.py"))
}


@cache
def parsed(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def meant(node):
    """List the modules of the package that an import names."""
    if isinstance(node, ast.ImportFrom):
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        named = [name for name in inner if name in MODULES] or [node.module]
    else:
        named = [alias.name for alias in node.names]
    return {name for name in named if name in MODULES}


def runtime_imports(name):
    """List what a module imports, at its top or when a function runs, but for type checkers."""
    found, queue = set(), [parsed(name)]
    while queue:
        node = queue.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= meant(node)
        queue.extend(ast.iter_child_nodes(node))
    return found - {name}


def at_top(name):
    """List what importing a module imports."""
    imports = (node for node in parsed(name).body if isinstance(node, ast.Import | ast.ImportFrom))
    return set().union(*map(meant, imports)) - {name}


def rooms():
    """Return the place of every room in the map of CONTRIBUTING.md, from above."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawn = re.search(r"^dcac/ .*?\n(.*?)^tests/", text, flags=re.MULTILINE | re.DOTALL)[1]
    names = [
        name.strip(" /")
        for line in drawn.splitlines()
        for name in re.match(r"  ((?:[a-z_*]+/?(?:, )?)+)  ?", line)[1].split(", ")
    ]
    return {name: place for place, name in enumerate(names)}


def room_of(module):
    inner = module.split(".")[1]
    return "cli" if inner.startswith(("cli_", "__main__")) else inner


def test_every_module_has_a_room_in_the_map():
    assert {room_of(name) for name in MODULES if "." in name} <= set(rooms())


def test_no_arrow_runs_up():
    """`declared` alone asks below itself, and only when it is asked."""
    place = rooms()
    upward = [
        f"{name} imports {other}"
        for name in MODULES
        if "." in name and name != "dcac.declared"
        for other in runtime_imports(name)
        if "." in other and place[room_of(other)] > place[room_of(name)]
    ]
    assert upward == []
    assert {room_of(other) for other in at_top("dcac.declared")} == {"closed"}


def test_no_import_runs_in_a_circle():
    TopologicalSorter({name: at_top(name) for name in MODULES}).prepare()


def folder(module):
    """Return the folder of a module; a door, which lists what the folders behind it declare, stands for itself."""
    return module + "/__init__" if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


def test_folders_import_one_another_in_one_direction():
    """Files beside the rooms are rooms of their own, so that their folder is none."""
    arrows = {}
    for name in MODULES:
        others = {folder(other) for other in runtime_imports(name)} - {folder(name), "dcac", "dcac/__init__"}
        if folder(name) not in ("dcac", "dcac/__init__"):
            arrows.setdefault(folder(name), set()).update(others)
    TopologicalSorter(arrows).prepare()
