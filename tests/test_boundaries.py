"""The house of docs/architecture.md: who may import whom, what stays where, and how large a room may grow."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "lemons_core"

# From the ground up: a module imports from its own package and from those before it, never from a later one.
PACKAGES = (
    "base", "images", "mammogram", "labels", "metrics", "dataset", "simulate", "notes", "vision", "charts", "report",
    "cli", "ui",
)  # fmt: skip
# The same within packages that have rooms of their own. What is not named here is only kept free of cycles.
ROOMS = {
    "dataset": (
        "sources", "cases", "published", "film", "join", "collection", "splits", "quality", "explore", "overview",
        "export", "fetch", "convert",
    ),
    "vision": ("record", "network", "tiles", "detect", "evaluate", "train"),
    "ui": ("shell", "case", "scan", "notes", "relabel", "training"),
}  # fmt: skip
# Heavy packages, and the only places that may import them while being imported themselves.
HEAVY = {
    "torch": ("vision",),
    "torchvision": ("vision",),
    "pytorch_grad_cam": ("vision",),
    "xgboost": ("notes",),
    "streamlit": ("ui",),
}
LIGHT = ("vision.record",)  # of those, what is read without a learning library
MOST_MODULES = 15


def module_name(path: Path) -> str:
    return path.relative_to(CORE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(CORE.rglob("*.py")) if path.parent != CORE}


def imports(path: Path, *, top_level: bool = False) -> Iterator[tuple[str, str]]:
    """(module, name) of everything a file imports; relative imports are resolved, a plain import has no name."""
    tree = ast.parse(path.read_text("utf-8"))
    package = ["lemons_core", *path.relative_to(CORE).with_suffix("").parts[:-1]]
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            yield from ((stem, alias.name) for alias in node.names)


def own_imports(name: str) -> set[str]:
    """Modules of the core that a module imports, at its top or within its functions."""
    found = set()
    for module, imported in imports(MODULES[name]):
        below = module.removeprefix("lemons_core.")
        full = f"{below}.{imported}" if module != "lemons_core" else imported
        found |= {known for known in (full, below) if known in MODULES and known != name and known != module}
        if full in MODULES:
            found.discard(below)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_packages_below_its_own(name):
    parts = name.split(".")
    for imported in own_imports(name):
        other = imported.split(".")
        assert PACKAGES.index(other[0]) <= PACKAGES.index(parts[0]), f"{name} imports {imported}"
        rooms = ROOMS.get(parts[0])
        if rooms and other[0] == parts[0] and len(parts) > 1 and len(other) > 1:
            assert rooms.index(other[1]) <= rooms.index(parts[1]), f"{name} imports {imported}"


def test_no_two_modules_import_each_other():
    """No cycle, however long, and not by imports within functions either."""
    order: list[str] = []
    under_way: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        assert name not in under_way, f"a cycle: {' -> '.join([*under_way[under_way.index(name) :], name])}"
        under_way.append(name)
        for imported in sorted(own_imports(name)):
            # A package's own modules may not need its __init__, which gathers them.
            visit(imported)
        order.append(under_way.pop())

    for name in MODULES:
        visit(name)


@pytest.mark.parametrize("name", MODULES)
def test_private_names_stay_in_their_module(name):
    private = [
        f"{module}.{what}"
        for module, what in imports(MODULES[name])
        for part in (what, module.rpartition(".")[2])
        if "lemons_core" in module and part.startswith("_") and not part.startswith("__")
    ]
    assert not private


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_stay_in_their_place(name):
    for imported, _ in imports(MODULES[name], top_level=True):
        places = HEAVY.get(imported.split(".")[0])
        assert places is None or name.split(".")[0] in places, f"{name} imports {imported}"
        assert places is None or not name.startswith(LIGHT), f"{name} imports {imported}"


def test_no_module_lies_loose_and_no_room_is_crowded():
    assert {path.name for path in CORE.glob("*.py")} == {"__init__.py", "__main__.py"}
    for folder in {path.parent for path in MODULES.values()}:
        assert len(list(folder.glob("*.py"))) <= MOST_MODULES, folder


def test_importing_the_core_and_the_case_table_loads_nothing_heavy():
    modules = ("", ".dataset.cases", ".labels.mapping", ".vision.record.card", ".cli")
    code = (
        f"import sys, {', '.join(f'lemons_core{name}' for name in modules)};"
        "print([m for m in ('torch', 'xgboost', 'streamlit', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CORE.parent)
    assert done.stdout.strip() == "[]"
