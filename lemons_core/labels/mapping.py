"""Calcification type to the four groups, by one table that a person can read, question and change.

The table is `groups.csv`. Its rows stand from most to least suspicious: a compound type (`A-B`) belongs to every group
that its tokens name, and the token that stands first in the table gives the single label.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from lemons_core.base.errors import DataError
from lemons_core.base.terms import GROUPS, MORPHOLOGY, Group

DEFAULT_MAPPING = Path(__file__).parent / "groups.csv"


@dataclass(frozen=True)
class Rule:
    """One row of the table: a morphology token, its group, and why."""

    token: str
    group: Group
    birads: str
    suspicion: str
    reason: str


@dataclass(frozen=True)
class GroupMapping:
    """The whole table; every token of the vocabulary has exactly one rule, the most suspicious first."""

    rules: tuple[Rule, ...]

    def label(self, tokens: Sequence[str]) -> "Label":
        """Groups and single label of one abnormality; no tokens give an empty label."""
        hits = tuple(rule for rule in self.rules if rule.token in tokens)
        named = {rule.group for rule in hits}
        groups = tuple(group for group in GROUPS if group in named)
        return Label(groups, hits[0].group if hits else None, hits)


@dataclass(frozen=True)
class Label:
    """What one abnormality is called.

    groups : every group its tokens name, in the order of GROUPS
    single : the group of its most suspicious token, or None without a type
    rules : the rules that led here, the deciding one first
    """

    groups: tuple[Group, ...]
    single: Group | None
    rules: tuple[Rule, ...]


def read_mapping(path: str | Path = DEFAULT_MAPPING) -> GroupMapping:
    """Read and check a table of rules.

    Raises DataError: not readable, a column missing, a token or group unknown, a token missing or named twice
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The mapping cannot be read", where=str(path), todo="Give a UTF-8 CSV file.") from error
    return parse_mapping(text, where=path.name)


def parse_mapping(text: str, *, where: str = "mapping") -> GroupMapping:
    """The same for text already at hand, such as an upload."""
    rows = list(csv.DictReader(io.StringIO(text)))
    todo = "Start from lemons_core/labels/groups.csv and change its group column or the order of its rows."
    missing = [name for name in ("token", "group") if not rows or name not in rows[0]]
    if missing:
        raise DataError(f"The column '{missing[0]}' is missing", where=where, todo=todo)
    rules: dict[str, Rule] = {}
    for number, row in enumerate(rows, start=1):
        here = f"{where}, row {number}"
        rule = _parse_rule(row, here)
        if rule.token in rules:
            raise DataError(f"{rule.token} stands twice", where=here, todo="Give each token one row.")
        rules[rule.token] = rule
    absent = sorted(set(MORPHOLOGY) - set(rules))
    if absent:
        raise DataError(f"No rule for {', '.join(absent)}", where=where, todo="Give each token one row.")
    return GroupMapping(tuple(rules.values()))


def _parse_rule(row: dict[str, str | None], where: str) -> Rule:
    token, group, *words = ((row.get(field.name) or "").strip() for field in fields(Rule))
    token, group = token.upper(), group.lower()
    if token not in MORPHOLOGY:
        raise DataError(f"Unknown token '{token[:40]}'", where=where, todo=f"Known: {', '.join(MORPHOLOGY)}.")
    if group not in GROUPS:
        raise DataError(f"Unknown group '{group[:40]}' of {token}", where=where, todo=f"Known: {', '.join(GROUPS)}.")
    return Rule(token, Group(group), *words)


def mapping_text(mapping: GroupMapping) -> str:
    """The table as CSV text that `parse_mapping` reads back."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Rule)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(rule) for rule in mapping.rules)
    return text.getvalue()


def add_groups(table: pd.DataFrame, mapping: GroupMapping | None = None) -> pd.DataFrame:
    """A copy of the case table with `calc_group` (single label) and `calc_groups` (tuple of all)."""
    mapping = mapping or read_mapping()
    labels = [mapping.label(tokens) for tokens in table["morphology_tokens"]]
    return table.assign(
        calc_group=pd.array([label.single and str(label.single) for label in labels], dtype="string"),
        calc_groups=[tuple(str(group) for group in label.groups) for label in labels],
    )
