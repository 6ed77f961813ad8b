"""Pictures in a ZIP: listed first, then read one at a time into memory; nothing is ever written to disk.

A ZIP is made by a stranger. Its directory can promise millions of members, a member can swell a thousandfold, carry a
password or a path that leads out of the folder. Every such promise is checked before anything is unpacked.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import PureWindowsPath

from lemons_core.base.errors import ImageError

MAX_MEMBERS = 500
MAX_MEMBER_BYTES = 256 * 2**20  # the largest picture that is read, uncompressed with 16 bit, has 240 MB
MAX_TOTAL_BYTES = 8 * 2**30  # never in memory at once
# Film scans shrink to a half or a quarter, a view that is mostly black to a twentieth; deflate ends at 1,030.
MAX_RATIO = 200
_MAX_DIRECTORY = 2 * 2**20
_CHUNK = 2**20
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # the second one: a ZIP without members
_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini", "DICOMDIR")  # what programs add to a folder by themselves
# What zipfile lets through for a damaged file, besides its own kind.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, ArithmeticError, RuntimeError,
           ValueError, OSError)  # fmt: skip
_TODO = "Unpack it and give the pictures themselves."


@dataclass(frozen=True)
class Member:
    """One file in a ZIP.

    index : its number in the directory of the ZIP
    name : the last part of its path, safe to show
    problem : why it is not read, or None
    """

    index: int
    name: str
    problem: ImageError | None = None


def is_archive(data: bytes) -> bool:
    """Whether bytes are a ZIP, by their beginning."""
    return data.startswith(_MAGIC)


def list_members(data: bytes, *, name: str = "the ZIP") -> tuple[Member, ...]:
    """What a ZIP holds, without unpacking it; folders and what systems add by themselves are left out.

    data : the ZIP
    name : what to call it in messages
    Raises ImageError: it is damaged, holds too many members, or promises to unpack to more than MAX_TOTAL_BYTES
    """
    with _opened(data, name) as archive:
        infos = archive.infolist()
    wanted = [(index, info) for index, info in enumerate(infos) if not (info.is_dir() or _is_junk(info.filename))]
    if len(wanted) > MAX_MEMBERS:
        raise ImageError(
            f"The ZIP holds {len(wanted):,} files, the limit is {MAX_MEMBERS:,}", where=name, todo="Make several."
        )
    if not wanted:
        raise ImageError("The ZIP holds no files", where=name, todo="Put pictures into it: DICOM, PNG, JPEG or TIFF.")
    members = tuple(Member(index, shown_name(info.filename), _problem_of(info)) for index, info in wanted)
    total = sum(infos[member.index].file_size for member in members if member.problem is None)
    if total > MAX_TOTAL_BYTES:
        raise ImageError(f"The ZIP would unpack to {total / 2**30:,.0f} GB", where=name, todo=_TODO)
    return members


def read_member(data: bytes, member: Member, *, name: str = "the ZIP") -> bytes:
    """Unpack one member into memory.

    Raises ImageError: as `member.problem` says, or it is damaged, or a ZIP itself
    """
    if member.problem:
        raise member.problem
    # Its own promise of its size is the limit: zipfile stops there, and the checksum tells when there was more.
    with _opened(data, member.name) as archive, archive.open(archive.infolist()[member.index]) as file:
        parts = [file.read(_CHUNK)]
        if is_archive(parts[0]):
            raise ImageError("A ZIP within a ZIP is not opened", where=member.name, todo=_TODO)
        while parts[-1]:
            parts.append(file.read(_CHUNK))
    return b"".join(parts)


def shown_name(path: str) -> str:
    """The last part of a path, without signs that cannot be printed, at most 80 characters."""
    last = PureWindowsPath(path).name  # it knows either slash
    return "".join(sign for sign in last if sign.isprintable())[:80] or "without a name"


def _is_junk(path: str) -> bool:
    parts = PureWindowsPath(path).parts
    return any(part.startswith("._") or part == ".DS_Store" or part in _JUNK for part in parts)


def _problem_of(info: zipfile.ZipInfo) -> ImageError | None:
    """Why a member is not read, from the directory alone."""
    path = PureWindowsPath(info.filename)
    if path.anchor or ".." in path.parts:
        what = "Its path leads out of the ZIP"
    elif info.flag_bits & 0x1:
        what = "It is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        what = "It is packed in an unusual way"  # the others can ask for gigabytes to unpack anything at all
    elif info.file_size > MAX_MEMBER_BYTES:
        what = f"It would unpack to {info.file_size / 2**20:,.0f} MB, the limit is {MAX_MEMBER_BYTES // 2**20:,} MB"
    elif info.file_size > MAX_RATIO * max(info.compress_size, 1) and info.file_size > _CHUNK:
        what = f"It would swell {info.file_size // max(info.compress_size, 1):,}-fold, as no picture does"
    else:
        return None
    return ImageError(what, where=shown_name(info.filename), todo=_TODO)


class _Bytes(BytesIO):
    """zipfile reads a directory in one go and makes an object of every entry: here its size is known before."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("directory too large")
        return super().read(size)


@contextmanager
def _opened(data: bytes, where: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(_Bytes(data)) as archive:
            yield archive
    except _DAMAGE as error:
        raise ImageError("The ZIP is damaged or cut short", where=where, todo="Copy it or pack it again.") from error
