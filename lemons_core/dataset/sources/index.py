"""Index of the image files below a root folder, kept on disk so that only changed files are read again."""

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lemons_core.base import config
from lemons_core.base.io import atomic_path
from lemons_core.base.progress import Progress
from lemons_core.dataset.sources.facts import DICOM_SUFFIXES, JPEG_SUFFIXES, Facts, read_facts
from lemons_core.dataset.sources.mirror import add_mirror_facts

RECIPE = 1  # raise it when Facts change, so that an old index is read anew
_READERS = 8  # reading headers waits for the disk more than for the processor
_CHUNK = 2000  # files after which the index is saved, so that an interrupted reading goes on from there

# The last two are found out later and remembered: whole-picture facts that cost a decoding.
_TYPES = {
    "path": "string", "size": "int64", "mtime_ns": "int64", "series": "string", "rows": "int64", "columns": "int64",
    "bits": "int64", "instance": "Int64", "described": "string", "levels": "string", "sample": "string",
    "fault": "string", "pixels": "string", "areas": "Int64",
}  # fmt: skip


@dataclass(frozen=True)
class FileIndex:
    """All image files below a root.

    root : absolute
    files : one row a file, in order of path: path below the root, size, mtime_ns, the columns of Facts, and
        `pixels` (SHA-256 of the grey values) and `areas` (connected areas of a mask), both NA until measured
    csv_files : every CSV met on the way, below the root
    read_anew : files whose header was read this time; the others were as the kept index says
    """

    root: Path
    files: pd.DataFrame
    csv_files: tuple[str, ...]
    read_anew: int

    def remember(self, row: int, **facts: object) -> None:
        """Keep what decoding has shown of one file; `save` writes it."""
        for column, value in facts.items():
            self.files.at[row, column] = value

    def save(self) -> None:
        _save(self.root, self.files)


def read_index(root: str | Path, *, progress: Progress | None = None) -> FileIndex:
    """Index the DICOM and JPEG files below `root`: headers and one block of pixels each.

    The data root is only read. The index lies in the cache folder (LEMONS_CACHE); a file is read again when its size
    or its time has changed. Folder names and file order are not looked at. Links to folders are not followed, so that
    the search stays below the root.
    """
    root = Path(root).resolve()
    images, csv_files = _walk(root)
    kept = _read_kept(root)
    seen = pd.DataFrame(sorted(images), columns=["path", "size", "mtime_ns"]).astype(
        {name: _TYPES[name] for name in ("path", "size", "mtime_ns")}
    )
    files = seen.merge(kept, on=["path", "size", "mtime_ns"], how="left", validate="one_to_one", indicator="state")
    new = files.index[files.pop("state") == "left_only"].tolist()
    files = _read_new(root, files, new, progress) if new else files.astype(_TYPES)
    if new or len(files) != len(kept):
        _save(root, files)
    return FileIndex(root, add_mirror_facts(files, root, csv_files), tuple(sorted(csv_files)), len(new))


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


def _walk(root: Path) -> tuple[list[tuple[str, int, int]], list[str]]:
    """(path, size, mtime_ns) of each image and the paths of the CSVs; hidden folders are unfinished work."""
    images: list[tuple[str, int, int]] = []
    csv_files: list[str] = []
    for folder, names, files in os.walk(root):  # it follows no links to folders, and a closed one holds nothing
        names[:] = [name for name in names if not name.startswith(".")]
        for path in (Path(folder, name) for name in files if not name.startswith(".")):
            suffix, below = path.suffix.lower(), path.relative_to(root).as_posix()
            if suffix == ".csv":
                csv_files.append(below)
            elif suffix in DICOM_SUFFIXES + JPEG_SUFFIXES:
                with contextlib.suppress(OSError):  # a link to nowhere
                    if path.is_file():
                        stat = path.stat()
                        images.append((below, stat.st_size, stat.st_mtime_ns))
    return images, csv_files


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
    """Write the index; without a cache folder that can be written the next start is slow, and that is all."""
    table = pa.Table.from_pandas(files[list(_TYPES)], preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"recipe": str(RECIPE).encode()})
    with contextlib.suppress(OSError), atomic_path(_index_path(root)) as part:
        pq.write_table(table, part)


assert {field.name for field in fields(Facts)} < set(_TYPES)
