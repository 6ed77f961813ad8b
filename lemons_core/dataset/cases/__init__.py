"""Case-description CSVs to the case table: one row per abnormality in one view, in canonical columns.

Raw spellings are translated here and nowhere else. A cell that cannot be read becomes missing and is listed as a
problem; so is a file that cannot be read, unless nothing is left without it. Nothing is guessed.

Source: Lee et al. 2017, doi:10.1038/sdata.2017.177; the four CSVs of CBIS-DDSM.
"""

from lemons_core.dataset.cases.dialect import DialectError
from lemons_core.dataset.cases.finding import find_tables
from lemons_core.dataset.cases.packed import PACKED, SOURCE, read_packed
from lemons_core.dataset.cases.problems import Problem, ProblemKind
from lemons_core.dataset.cases.reading import TABLE_COLUMNS, Cases, NoTablesError, parse_cases, read_cases
from lemons_core.dataset.cases.rows import is_missing, split_tokens
from lemons_core.dataset.cases.tables import PUBLISHED_ROWS

__all__ = [
    "PACKED", "PUBLISHED_ROWS", "SOURCE", "TABLE_COLUMNS", "Cases", "DialectError", "NoTablesError", "Problem",
    "ProblemKind", "find_tables", "is_missing", "parse_cases", "read_cases", "read_packed", "split_tokens",
]  # fmt: skip
