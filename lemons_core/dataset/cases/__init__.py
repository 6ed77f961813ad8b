"""Case-description CSVs to the case table: one row per abnormality in one view, in canonical columns.

Raw spellings are translated here and nowhere else. A cell that cannot be read becomes missing and is listed as a
problem; a file that cannot be read at all raises. Nothing is guessed.

Source: Lee et al. 2017, doi:10.1038/sdata.2017.177; the four CSVs of CBIS-DDSM.
"""

from lemons_core.dataset.cases.problems import Problem, ProblemKind
from lemons_core.dataset.cases.reading import PUBLISHED_ROWS, TABLE_COLUMNS, Cases, parse_cases, read_cases
from lemons_core.dataset.cases.rows import is_missing, split_tokens

__all__ = [
    "PUBLISHED_ROWS", "TABLE_COLUMNS", "Cases", "Problem", "ProblemKind", "is_missing", "parse_cases", "read_cases",
    "split_tokens",
]  # fmt: skip
