"""The floors of docs/architecture.md hold, and heavy packages stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "lemons_core"

# The first name that fits a module's dotted path below lemons_core gives its floor.
FLOORS = {
    "terms": 0, "errors": 0, "config": 0, "extras": 0, "colours": 0, "pool": 0, "files": 0,
    "sources": 1,
    "cases": 2,
    "images": 3,
    "labels": 4, "splits": 4, "collection": 4, "eda": 4, "metrics": 4, "metrics_labels": 4, "froc": 4, "card": 4,
    "quality": 4, "relabel": 4, "suspects": 4, "export": 4, "breast": 4, "refuse": 4, "runs": 4, "answers": 4,
    "notes": 5, "convert": 5, "fetch": 5, "vision": 5, "simulate": 4.5,
    "charts": 6, "charts_labels": 6, "charts_notes": 6, "charts_training": 6, "overlay": 6, "report": 6,
    "cli": 7, "__main__": 8, "ui": 8,
}  # fmt: skip
# Heavy packages, and the only places that may import them while being imported themselves.
HEAVY = {
    "torch": ("vision",),
    "torchvision": ("vision",),
    "pytorch_grad_cam": ("vision",),
    "xgboost": ("notes",),
    "streamlit": ("ui",),
}


def module_name(path: Path) -> str:
    return path.relative_to(CORE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(CORE.rglob("*.py")) if path != CORE / "__init__.py"}


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Absolute names of everything a file imports; relative imports are resolved."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_level else ast.walk(tree)
    package = ["lemons_core", *path.relative_to(CORE).with_suffix("").parts[:-1]]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            found.add(stem)
            found |= {f"{stem}.{alias.name}" for alias in node.names}
    return found


def floor(name: str) -> float:
    head = name.split(".")[0]
    assert head in FLOORS, f"lemons_core.{head} has no floor: give it one here and in docs/architecture.md"
    return FLOORS[head]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_lower_floors(name):
    own = floor(name)
    for imported in imports(MODULES[name]):
        below = imported.removeprefix("lemons_core.")
        if below == imported or below.split(".")[0] not in FLOORS:
            continue
        same_package = below.split(".")[0] == name.split(".")[0]
        assert same_package or floor(below) <= own, f"{name} (floor {own}) imports {below} (floor {floor(below)})"


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_stay_in_their_place(name):
    for imported in imports(MODULES[name], top_level=True):
        places = HEAVY.get(imported.split(".")[0])
        assert places is None or name.split(".")[0] in places, f"{name} imports {imported}"


def test_importing_the_core_and_the_case_table_loads_nothing_heavy():
    code = (
        "import sys, lemons_core, lemons_core.cases, lemons_core.labels, lemons_core.card, lemons_core.cli;"
        "print([m for m in ('torch', 'xgboost', 'streamlit', 'sklearn', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CORE.parent)
    assert done.stdout.strip() == "[]"
