"""ZIPs as strangers make them: each fault is told, memory stays bounded, the other members are read."""

import io
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from lemons_core.base.errors import ImageError
from lemons_core.images import read_image
from lemons_core.images.archive import MAX_MEMBERS, is_archive, list_members, read_member, shown_name


def png(side: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(side).integers(0, 255, (side, side), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def pack(**members: bytes) -> bytes:
    """A ZIP; underscores stand for nothing, members come in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def problems(data: bytes) -> dict[str, str]:
    """What each member of a ZIP says, empty for one that is read as a picture."""
    found = {}
    for member in list_members(data):
        try:
            read_image(read_member(data, member), name=member.name)
            found[member.name] = ""
        except ImageError as error:
            found[member.name] = str(error)
    return found


def peak_of(work) -> float:
    """Most memory that Python held meanwhile, MB."""
    tracemalloc.start()
    try:
        with suppress(ImageError):
            work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_pictures_are_read_wherever_they_lie_and_junk_is_not_listed():
    data = pack(**{"a.png": png(), "__MACOSX/._a.png": b"x", "deep/er/b.png": png(50), ".DS_Store": b"x", "deep/": b""})
    assert is_archive(data) and problems(data) == {"a.png": "", "b.png": ""}
    first, second = list_members(data)
    assert read_member(data, second) == png(50) and read_member(data, first) == png()


@pytest.mark.parametrize(
    "path", ["../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\evil.png", "a/../../evil.png"]
)
def test_a_path_that_leads_out_is_told_by_its_last_part_only(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = problems(pack(**{path: png(), "good.png": png()}))
    assert "leads out of the ZIP" in found["evil.png"] and ".." not in found["evil.png"] and found["good.png"] == ""
    assert not list(tmp_path.rglob("*"))


def test_an_encrypted_member_is_told_and_the_others_are_read():
    data = bytearray(pack(**{"secret.png": png(), "good.png": png()}))
    at = data.index(b"PK\x01\x02")  # the first entry of the directory
    data[at + 8] |= 1
    found = problems(bytes(data))
    assert "encrypted" in found["secret.png"] and found["good.png"] == ""


def test_a_zip_in_a_zip_is_told_by_its_content():
    found = problems(pack(**{"innocent.png": pack(**{"x.png": png()}), "good.png": png()}))
    assert "ZIP within a ZIP" in found["innocent.png"] and found["good.png"] == ""


def test_what_is_no_picture_is_told_and_the_others_are_read():
    found = problems(pack(**{"read.me": b"Dear reader", "half.png": png()[:99], "empty.png": b"", "good.png": png()}))
    assert "not an image" in found["read.me"] and "damaged" in found["half.png"] and "empty" in found["empty.png"]
    assert found["good.png"] == ""


def test_a_bomb_is_told_and_never_unpacked():
    data = pack(**{"bomb.png": bytes(120 * 2**20), "good.png": png()})
    assert len(data) < 2**18
    assert "swell 1,0" in problems(data)["bomb.png"] and problems(data)["good.png"] == ""
    assert peak_of(lambda: problems(data)) < 8


def test_a_bomb_of_many_members_is_refused_as_a_whole():
    buffer = io.BytesIO(pack(**{f"{n}.png": png() for n in range(40)}))
    with zipfile.ZipFile(buffer, "a") as archive:
        for info in archive.infolist():  # what the directory promises, not what there is
            info.file_size, info.compress_size = 250 * 2**20, 2**26
        archive._didModify = True
    with pytest.raises(ImageError, match="unpack to 10 GB"):
        list_members(buffer.getvalue())


def test_a_member_that_promises_less_than_it_holds_is_damaged_and_stops_at_its_promise():
    data = bytearray(pack(**{"liar.png": bytes(64 * 2**20), "good.png": png()}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 5000)
    assert "damaged" in problems(bytes(data))["liar.png"] and problems(bytes(data))["good.png"] == ""
    assert peak_of(lambda: problems(bytes(data))) < 8


def test_too_many_members_are_refused():
    data = pack(**{f"{n}.png": b"" for n in range(MAX_MEMBERS + 1)})
    with pytest.raises(ImageError, match="501 files, the limit is 500"):
        list_members(data)


def test_a_huge_directory_is_refused_before_it_is_read():
    one = pack(**{"a": b""})
    at, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    entries = one[at:end] * 800_000  # 37 MB, which would become half a gigabyte of objects
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, len(entries), at, 0)
    data = one[:at] + entries + tail
    with pytest.raises(ImageError, match="damaged"):
        list_members(data)
    assert peak_of(lambda: list_members(data)) < 8


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_told(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.png", png())
    assert "unusual way" in problems(buffer.getvalue())["a.png"]


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"PK\x03\x04" + bytes(300), pack(**{"a.png": png()})[:-30]])
def test_a_damaged_zip_is_told(data):
    with pytest.raises(ImageError, match="damaged or cut short"):
        list_members(data)


def test_an_empty_zip_is_told():
    with pytest.raises(ImageError, match="no files"):
        list_members(pack())


def test_whatever_is_broken_in_a_zip_gives_an_image_error_at_worst():
    whole, dice = pack(**{"a.png": png(), "b.png": png(30)}), random.Random(3)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(4, len(data))] = dice.randrange(256)
        with suppress(ImageError):
            for member in list_members(bytes(data)):
                with suppress(ImageError):
                    read_member(bytes(data), member)


def test_names_are_safe_to_show():
    assert shown_name("a/b/../c\x00\n\u202e.png") == "c.png"
    assert shown_name("") == "without a name" and len(shown_name("x" * 500)) == 80


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_zip_of_200_mb_is_listed_and_read_without_a_second_copy_of_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as archive:
        for number in range(10):
            archive.writestr(f"{number}.dcm", random.Random(number).randbytes(20 * 2**20))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from lemons_core.images.archive import list_members, read_member\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sizes = {len(read_member(data, member)) for member in list_members(data)}\n"
        "print(sizes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "large.zip")], capture_output=True, text=True, check=True
    )
    sizes, more = done.stdout.rsplit(maxsplit=1)
    assert sizes == "{20971520}"
    assert int(more) < 100, f"{more} MB above the ZIP itself"
