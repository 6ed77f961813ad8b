"""Several tables of one kind: the one that matches the published table best is used, and which and why is told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lemons_core.dataset.cases.finding import by_length
from lemons_core.dataset.cases.packed import published_tables
from lemons_core.dataset.cases.problems import Problem, ProblemKind
from lemons_core.dataset.cases.tables import CaseTable

_KEY = ("patient_id", "laterality", "view", "abnormality_id", "image_series", "crop_series", "mask_series")
_PATHS = ("image_path", "crop_path", "mask_path")
_OF_THE_FILE = ("source_file", "source_row")


@dataclass(frozen=True)
class Match:
    """How close a table is to the published one of its kind.

    published : rows of the published table
    found : of those, how many the table has, by patient, side, view, abnormality and series
    others : its remaining rows: doubled ones, and ones that are not published
    columns : names that only one of the two headers has
    changed : published rows whose values differ
    rewritten : published rows whose paths differ
    """

    published: int
    found: int
    others: int
    columns: int
    changed: int
    rewritten: int

    @property
    def rank(self) -> tuple[int, ...]:
        """Sort key, the best first."""
        distance = abs(self.found + self.others - self.published)
        return -self.found, distance, self.columns, self.changed, self.rewritten

    def words(self) -> str:
        """What is different about it, such as " and 3 others, 12 of them changed"; nothing where nothing is."""
        parts = [
            f" and {_count(self.others, 'other')}" if self.others else "",
            f", {_count(self.changed, 'row')} changed" if self.changed else "",
            ", other columns" if self.columns else "",
        ]
        return "".join(parts)


def choose_table(tables: Sequence[CaseTable]) -> tuple[CaseTable, Problem | None]:
    """The table to use of several of one kind, and what is said of the choice; of one there is nothing to say.

    Ties go to the shorter path, then to the first by name.
    Raises DataError: the published tables are missing from the product
    """
    if len(tables) == 1:
        return tables[0], None
    matches = {table.file: compare(table) for table in tables}
    ordered = sorted(tables, key=lambda table: (matches[table.file].rank, by_length(table.file)))
    chosen, best = ordered[0], matches[ordered[0].file]
    what = (
        f"{len(tables)} {chosen.kind} tables: {chosen.file} is used, it has "
        f"{best.found:,} of {best.published:,} published rows{best.words()}"
    )
    for table in ordered[1:]:
        longer = by_length(table.file)[0] > by_length(chosen.file)[0]
        what += f"; {table.file} has {_against(matches[table.file], best, longer=longer)}"
    return chosen, Problem(ProblemKind.DOUBLED, chosen.file, None, None, what)


def compare(table: CaseTable) -> Match:
    """Compare a table with the published one of its kind.

    Raises DataError: the published tables are missing from the product
    """
    published = published_tables()[table.kind]
    theirs = {tuple(row[name] for name in _KEY): row for row in published.rows}
    mine = {tuple(row[name] for name in _KEY): row for row in table.rows}
    common = [(row, theirs[key]) for key, row in mine.items() if key in theirs]
    values = [name for name in published.rows[0] if name not in (*_OF_THE_FILE, *_PATHS)]
    columns = Counter(table.header)
    columns.subtract(published.header)
    return Match(
        published=len(published.rows),
        found=len(common),
        others=len(table.rows) - len(common),
        columns=sum(map(abs, columns.values())),
        changed=sum(any(row[name] != other[name] for name in values) for row, other in common),
        rewritten=sum(any(row[name] != other[name] for name in _PATHS) for row, other in common),
    )


def _against(match: Match, best: Match, *, longer: bool) -> str:
    """What an unused table has, beside the best; `longer` is its path."""
    if match.rank == best.rank:
        return "the same, and a longer path" if longer else "the same, and a later name"
    if (match.found, match.words()) == (best.found, best.words()):
        return "the same, with other paths to its images"
    return f"{match.found:,}{match.words()}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
