"""Index of the image files below a root folder, kept on disk so that only changed files are read again."""

import contextlib
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lemons_core.base import config
from lemons_core.base.errors import ImageError
from lemons_core.base.io import atomic_path
from lemons_core.base.progress import Progress
from lemons_core.dataset.sources.facts import Facts, FileFormat, is_passing, read_facts
from lemons_core.dataset.sources.mirror import MirrorProblem, add_series
from lemons_core.dataset.sources.search import Found, find_files
from lemons_core.dataset.sources.skipped import SkipKind, Skipped, count_by_suffix

RECIPE = 2  # raise it when Facts change, so that an old index is read anew
_READERS = 8  # reading headers waits for the disk more than for the processor
_CHUNK = 2000  # files after which the index is saved, so that an interrupted reading goes on from there

# The last two are found out later and remembered: whole-picture facts that cost a decoding.
_TYPES = {
    "path": "string", "size": "int64", "mtime_ns": "int64", "format": "string", "series": "string", "rows": "int64",
    "columns": "int64", "bits": "int64", "lossy": "bool", "instance": "Int64", "described": "string",
    "levels": "string", "sample": "string", "fault": "string", "passing": "bool", "pixels": "string", "areas": "Int64",
}  # fmt: skip


@dataclass(frozen=True)
class FileIndex:
    """All image files below a root.

    root : absolute
    files : one row a file, in order of path: path below the root, size, mtime_ns, the columns of Facts, and
        `pixels` (SHA-256 of the grey values) and `areas` (connected areas of a mask), both NA until measured
    csv_files : every CSV met on the way, below the root
    read_anew : files whose header was read this time; the others were as the kept index says
    skipped : what was seen and not used, in the order of SkipKind
    problems : what is wrong with the table of a JPEG mirror
    """

    root: Path
    files: pd.DataFrame
    csv_files: tuple[str, ...]
    read_anew: int
    skipped: tuple[Skipped, ...] = ()
    problems: tuple[MirrorProblem, ...] = ()
    _others: pd.DataFrame | None = field(
        default=None, repr=False
    )  # no pictures, kept so that they are not opened again

    @property
    def faulty(self) -> pd.DataFrame:
        """The files that cannot be used, each with its `fault`."""
        return self.files[self.files["fault"].notna()]

    def remember(self, row: int, **facts: object) -> None:
        """Keep what decoding has shown of one file; `save` writes it."""
        for column, value in facts.items():
            self.files.at[row, column] = value

    def remember_fault(self, row: int, error: ImageError) -> None:
        """Mark a file that cannot be read; `save` leaves it out when the next time may be better."""
        passing = is_passing(error) or not (self.root / str(self.files.at[row, "path"])).is_file()
        self.remember(row, fault=error.what[:1].lower() + error.what[1:], passing=passing)

    def save(self) -> None:
        _save(self.root, self.files if self._others is None else pd.concat([self.files, self._others]))


def read_index(root: str | Path, *, found: Found | None = None, progress: Progress | None = None) -> FileIndex:
    """Index the pictures below `root`: headers and one block of pixels each.

    The data root is only read. The index lies in the cache folder (LEMONS_CACHE); a file is read again when its size
    or its time has changed, or when last time it could not be read for a reason that passes. DICOM files are known by
    their content, whatever they are called; only pictures without a header take their series from a folder's name.

    found : as find_files gives it, where the caller has searched the folder already
    progress : called with a share 0-1 and a few words
    Raises DataError: the path of the root is not UTF-8
    """
    found = found or find_files(root)
    kept = _read_kept(found.root)
    seen = pd.DataFrame(found.pictures, columns=["path", "size", "mtime_ns"]).astype(
        {name: _TYPES[name] for name in ("path", "size", "mtime_ns")}
    )
    files = seen.merge(kept, on=["path", "size", "mtime_ns"], how="left", validate="one_to_one", indicator="state")
    new = files.index[files.pop("state") == "left_only"].tolist()
    files = _read_new(found.root, files, new, progress) if new else files.astype(_TYPES)
    if new or len(files) != len(kept):
        _save(found.root, files)
    # A file of another kind that cannot be opened stays: it may be a picture.
    other = (files["format"] == str(FileFormat.OTHER)) & ~files["passing"]
    anew = len(new) - int(other[new].sum())
    others, files = files[other], files[~other].reset_index(drop=True) if other.any() else files
    files, problems = add_series(files, found.root, found.csv_files)
    skipped = (*found.skipped, *count_by_suffix(SkipKind.OTHER, others["path"].tolist()))
    return FileIndex(found.root, files, found.csv_files, anew, skipped, problems, others)


def _read_new(root: Path, files: pd.DataFrame, new: list[int], progress: Progress | None) -> pd.DataFrame:
    """The table of files with the facts of the rows `new` filled in, saved on the way."""
    # Filled by whole columns: setting a cell of a frame at a time costs more than reading the header does.
    columns = {name: files[name].astype(object).tolist() for name in files.columns}
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(lambda row: read_facts(root / columns["path"][row]), new)
        for done, (row, facts) in enumerate(zip(new, found, strict=True), start=1):
            for name, value in asdict(facts).items():
                columns[name][row] = value
            if progress and (done % 100 == 0 or done == len(new)):
                progress(done / len(new), f"{done:,} of {len(new):,} image headers read")
            if done % _CHUNK == 0:
                read = [row for row, rows in enumerate(columns["rows"]) if not pd.isna(rows)]
                _save(root, _frame({name: [column[row] for row in read] for name, column in columns.items()}))
    return _frame(columns)


def _frame(columns: dict[str, list[object]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(columns[name], dtype=kind) for name, kind in _TYPES.items()})


def _index_path(root: Path) -> Path:
    name = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return config.read_settings().cache / "index" / f"{name}.parquet"


def _read_kept(root: Path) -> pd.DataFrame:
    """The index of last time; an empty one when there is none, or it is damaged or of another recipe."""
    with contextlib.suppress(OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        table = pq.read_table(_index_path(root))
        if (table.schema.metadata or {}).get(b"recipe") == str(RECIPE).encode():
            return table.to_pandas()[list(_TYPES)].astype(_TYPES)
    return _frame({name: [] for name in _TYPES})


def _save(root: Path, files: pd.DataFrame) -> None:
    """Write the index, without faults that may have passed by the next time.

    Without a cache folder that can be written the next start is slow, and that is all.
    """
    table = pa.Table.from_pandas(files.loc[~files["passing"], list(_TYPES)], preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"recipe": str(RECIPE).encode()})
    with contextlib.suppress(OSError), atomic_path(_index_path(root)) as part:
        pq.write_table(table, part)


assert {field.name for field in fields(Facts)} < set(_TYPES)
