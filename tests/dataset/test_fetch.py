"""What would be fetched, proved against the real tables and the index that idc-index ships; how it is fetched, against
a server on this machine."""

import io
import shutil
import socket
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from support.archive import Server, index_package

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.cli import main
from lemons_core.dataset import fetch
from lemons_core.dataset.cases import read_cases
from lemons_core.simulate.demo.write import write_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    return write_demo(tmp_path_factory.mktemp("fetch") / "demo", seed=1, images=4, jobs=2)


@pytest.fixture(scope="module")
def pictures(demo) -> dict[str, list[Path]]:
    """Files of the demo by series."""
    found: dict[str, list[Path]] = {}
    for path in sorted(filter(Path.is_file, demo.rglob("*.dcm"))):
        found.setdefault(str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID), []).append(path)
    return found


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("lemons_core.dataset.sources.download._TRIES", 2)
    monkeypatch.setattr("lemons_core.dataset.sources.download.time.sleep", lambda _seconds: None)
    running = Server()
    yield running
    running.close()


@pytest.fixture
def tables(server, demo):
    for name in fetch.CSV_NAMES:
        server.answers[f"/{name}"] = (demo / "csv" / name).read_bytes()
    return server


def test_tables_are_fetched_once_and_checked(tables, tmp_path):
    paths = fetch.fetch_metadata(tmp_path, address=tables.address)
    assert [path.name for path in paths] == list(fetch.CSV_NAMES)
    assert len(read_cases(tmp_path).table) == 1546 + 326 + 1318 + 378
    fetch.fetch_metadata(tmp_path, address=tables.address)
    assert set(tables.requests.values()) == {1}, "what is there and right is not fetched again"


def test_a_connection_that_breaks_once_is_tried_again(tables, tmp_path):
    tables.short.add(f"/{fetch.CSV_NAMES[0]}")
    fetch.fetch_metadata(tmp_path, address=tables.address)
    assert tables.requests[f"/{fetch.CSV_NAMES[0]}"] == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (404, "the server answers 404"),
        (503, "the server answers 503"),
        (b"<html>Sign in to the network</html>", "The column 'calc type' or 'mass shape' is missing"),
        (b"", "This CSV is empty"),
    ],
)
def test_a_wrong_answer_is_a_clear_message_and_leaves_nothing(tables, tmp_path, answer, message):
    tables.answers[f"/{fetch.CSV_NAMES[2]}"] = answer
    with pytest.raises(DataError, match=message):
        fetch.fetch_metadata(tmp_path, address=tables.address)
    assert not list(tmp_path.rglob("*"))


def test_a_table_that_was_cut_short_is_refused_and_the_old_one_kept(tables, demo, tmp_path):
    fetch.fetch_metadata(tmp_path, address=tables.address)
    old = tmp_path / "csv" / fetch.CSV_NAMES[0]
    old.write_bytes(b"\r\n".join(old.read_bytes().split(b"\r\n")[:50]))
    before = old.read_bytes()
    tables.answers[f"/{fetch.CSV_NAMES[0]}"] = before
    with pytest.raises(DataError, match=r"usable rows, 1,546 are published"):
        fetch.fetch_metadata(tmp_path, address=tables.address)
    assert old.read_bytes() == before


def test_without_a_network_the_message_says_so(tmp_path, server):
    server.close()
    with pytest.raises(DataError, match=r"The download failed: .*Check the connection"):
        fetch.fetch_metadata(tmp_path, address=server.address)


def catalogue_of(table: pd.DataFrame, images: int = 1, size: int = 1000) -> pd.DataFrame:
    series = pd.concat([table[f"{kind}_series"] for kind in ("image", "crop", "mask")]).dropna().unique()
    return pd.DataFrame({"images": images, "size": size, "uuid": "", "patient": "case", "study": "1.2.3"}, index=series)


def test_the_plan_is_each_series_once_of_the_rows_chosen(demo):
    table = read_cases(demo).table
    calc = table[(table["abnormality_type"] == "calcification")]
    crops = fetch.plan_images(table, "crops", catalogue=catalogue_of(table))
    assert set(crops.series) == set(calc["crop_series"]) | set(calc["mask_series"])
    assert (crops.images, crops.size) == (len(crops.series), 1000 * len(crops.series))
    test = fetch.plan_images(table, "views", split="test")
    assert set(test.series) == set(calc.loc[calc["split"] == "test", "image_series"]) and test.size is None
    assert fetch.plan_images(table, "views", split="test", limit=7).series == test.series[:7]


def test_series_that_the_catalogue_lacks_are_reported(demo):
    table = read_cases(demo).table
    catalogue = catalogue_of(table)
    absent = str(catalogue.index[0])
    plan = fetch.plan_images(table, "views", catalogue=catalogue.drop(absent))
    assert plan.unknown == (absent,) and absent not in plan.series


def zipped(paths: list[Path], folder: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in paths:
            archive.write(path, folder + path.name)
        archive.writestr("LICENSE", "CC BY 3.0")
    return packed.getvalue()


def test_tcia_series_arrive_whole_and_are_not_fetched_twice(server, demo, pictures, tmp_path):
    shutil.copytree(demo / "csv", tmp_path / "csv")
    for uid, paths in pictures.items():
        server.answers[f"/getImage?SeriesInstanceUID={uid}"] = zipped(paths)
    plan = fetch.Plan(tuple(pictures), None, None)
    last = tuple(pictures)[-1]
    server.answers[f"/getImage?SeriesInstanceUID={last}"] = 500
    with pytest.raises(DataError, match="500"):
        fetch.fetch_images(plan, tmp_path, source="tcia", address=server.address)
    server.answers[f"/getImage?SeriesInstanceUID={last}"] = zipped(pictures[last])
    rest = fetch.leave_out_present(plan, tmp_path, None)
    assert rest.series == (last,) and rest.there == len(pictures) - 1
    fetch.fetch_images(rest, tmp_path, source="tcia", address=server.address)
    fetched = {path.name: path for path in (tmp_path / "tciaDownload" / last).iterdir()}
    assert set(fetched) == {path.name for path in pictures[last]}
    assert not fetch.leave_out_present(plan, tmp_path, None).series
    assert not [path for path in tmp_path.rglob(".*")]


def test_a_zip_cannot_write_outside_its_folder(server, pictures, tmp_path):
    uid = next(iter(pictures))
    server.answers[f"/getImage?SeriesInstanceUID={uid}"] = zipped(pictures[uid], "../../../")
    fetch.fetch_images(fetch.Plan((uid,), None, None), tmp_path / "out", source="tcia", address=server.address)
    assert {path.parent for path in tmp_path.rglob("*.dcm")} == {tmp_path / "out" / "tciaDownload" / uid}


@pytest.mark.parametrize("answer", [b"<html>busy</html>", zipped([])])
def test_a_series_that_is_none_leaves_no_folder(server, tmp_path, answer):
    server.answers["/getImage?SeriesInstanceUID=1.2.3"] = answer
    with pytest.raises(DataError, match="TCIA has sent"):
        fetch.fetch_images(fetch.Plan(("1.2.3",), None, None), tmp_path, source="tcia", address=server.address)
    assert not list((tmp_path / "tciaDownload").iterdir())


def test_idc_gets_the_series_and_goes_on_after_a_failure(server, pictures, tmp_path):
    catalogue = server.add_bucket(pictures)
    plan = fetch.Plan(tuple(pictures), len(pictures), int(catalogue["size"].sum()))
    broken = f"/{catalogue['uuid'].iloc[3]}/0-instance.dcm"
    whole, server.answers[broken] = server.answers[broken], 500
    seen = []
    take = dict(address=server.address, catalogue=catalogue, progress=lambda part, text: seen.append(part))
    with pytest.raises(DataError, match="the server answers 500"):
        fetch.fetch_images(plan, tmp_path, **take)
    server.answers[broken] = whole
    rest = fetch.leave_out_present(plan, tmp_path, catalogue)
    assert rest.there == 3 and rest.series[0] == plan.series[3]
    fetch.fetch_images(rest, tmp_path, **take)
    assert not fetch.leave_out_present(plan, tmp_path, catalogue).series
    assert all(server.requests[path] == 1 for path in server.answers if path.endswith(".dcm") and path != broken)
    assert seen[-1] == 1.0 and not list(tmp_path.rglob("*.part"))
    for uid, paths in pictures.items():
        fetched = sorted((tmp_path / "cbis_ddsm" / "case" / "1.2.3" / f"MG_{uid}").iterdir())
        assert [file.read_bytes() for file in fetched] == [path.read_bytes() for path in paths]


def test_a_download_that_is_cancelled_leaves_whole_files_only(server, pictures, tmp_path):
    catalogue = server.add_bucket(pictures)

    def cancel(part: float, text: str) -> None:
        if part > 0.4:
            raise LemonsError("Stopped")

    plan = fetch.Plan(tuple(pictures), None, None)
    with pytest.raises(LemonsError, match="Stopped"):
        fetch.fetch_images(plan, tmp_path, address=server.address, catalogue=catalogue, progress=cancel)
    left = {path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert 0 < len(left) < sum(map(len, pictures.values()))
    assert left <= {path.read_bytes() for paths in pictures.values() for path in paths}


@pytest.mark.parametrize("answer", [b"<html>Sign in</html>", b"no xml", b"<ListBucketResult/>"])
def test_something_else_than_the_archive_is_said_at_once(server, pictures, tmp_path, answer):
    catalogue = server.add_bucket(pictures)
    plan = fetch.Plan(tuple(pictures)[:1], None, None)
    server.answers[f"/?list-type=2&prefix={catalogue['uuid'].iloc[0]}/"] = answer
    with pytest.raises(DataError, match="Imaging Data Commons"):
        fetch.fetch_images(plan, tmp_path, address=server.address, catalogue=catalogue)
    assert not list(tmp_path.rglob("*.dcm"))


def test_a_server_that_never_answers_is_given_up_within_15_seconds(pictures, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        catalogue = Server().add_bucket(pictures)
        start = time.monotonic()
        with pytest.raises(DataError, match=r"The download failed: .*timed out"):
            fetch.fetch_images(
                fetch.Plan(tuple(pictures), None, None), tmp_path, catalogue=catalogue,
                address=f"http://127.0.0.1:{silent.getsockname()[1]}",
            )  # fmt: skip
        assert time.monotonic() - start < 15


def test_a_disk_that_is_too_small_is_reported_before_anything_starts(server, tmp_path):
    with pytest.raises(DataError, match="GiB are needed"):
        fetch.fetch_images(fetch.Plan(("1.2.3",), 1, 10**18), tmp_path, address=server.address)
    assert not server.requests


def test_a_case_is_its_view_crop_and_mask_and_the_other_view(demo):
    table = read_cases(demo).table
    calc = table[table["abnormality_type"] == "calcification"]
    both = calc[calc.duplicated("lesion_id", keep=False)].iloc[0]
    rows = calc[calc["lesion_id"].isin(calc.loc[calc["image_id"] == both["image_id"], "lesion_id"])]
    assert set(rows["view"]) == {"CC", "MLO"}
    wanted = {uid for kind in ("image", "crop", "mask") for uid in rows[f"{kind}_series"]}
    assert set(fetch.plan_case(table, both["image_id"]).series) == wanted
    with pytest.raises(DataError, match="describes no calcification in P_1_L_CC"):
        fetch.plan_case(table, "P_1_L_CC")


def test_without_idc_index_the_message_says_how_to_install_it(monkeypatch, demo, capsys):
    monkeypatch.setitem(sys.modules, "idc_index_data", None)
    with pytest.raises(LemonsError, match=r"pip install idc-index==0\.13\.4"):
        fetch.read_catalogue()


def fake_catalogue(monkeypatch, tmp_path: Path, table: pd.DataFrame, size: int) -> None:
    """The shipped index, reduced to what is read of it."""
    monkeypatch.setitem(sys.modules, "idc_index_data", index_package(tmp_path, catalogue_of(table, 2, size)))


def test_a_dry_run_prints_series_and_size_and_fetches_nothing(demo, tmp_path, monkeypatch, capsys):
    fake_catalogue(monkeypatch, tmp_path, read_cases(demo).table, 20 * 10**6)
    shutil.copytree(demo / "csv", tmp_path / "out" / "csv")
    assert main(["fetch", "views", "--split", "test", "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    series = len(fetch.plan_images(read_cases(demo).table, "views", split="test").series)
    assert f"{series} series, {2 * series} images, {series * 20e6 / 2**30:.1f} GiB" in shown
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_a_large_download_must_be_confirmed(demo, tmp_path, monkeypatch, capsys):
    fake_catalogue(monkeypatch, tmp_path, read_cases(demo).table, 20 * 10**6)
    shutil.copytree(demo / "csv", tmp_path / "out" / "csv")
    command = ["fetch", "crops", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal: nobody can be asked
    assert main(command) == 1
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: "n")
    assert main(command) == 0
    assert "Nothing fetched" in capsys.readouterr().out


def test_real_images_are_not_put_among_simulated_ones(demo, capsys):
    assert main(["fetch", "metadata", "--out", str(demo)]) == 1
    assert "simulated demo data" in capsys.readouterr().err


def test_every_row_of_the_real_tables_is_in_the_shipped_index(real_data):
    """100 % of the rows, calcification and mass; together they name each of the collection's 6,775 series."""
    pytest.importorskip("idc_index_data", reason="the optional package idc-index is not installed")
    catalogue = fetch.read_catalogue()
    assert (len(catalogue), int(catalogue["images"].sum())) == (6775, 10239)
    table = read_cases(real_data / "cbis-ddsm" / "csv").table
    named = [table[f"{kind}_series"] for kind in ("image", "crop", "mask")]
    assert all(series.notna().all() and series.isin(catalogue.index).all() for series in named)
    assert set(pd.concat(named)) == set(catalogue.index)
    crops = fetch.plan_images(table, "crops", catalogue=catalogue)
    views = fetch.plan_images(table, "views", catalogue=catalogue)
    assert not crops.unknown and not views.unknown
    assert (crops.images, round(crops.size / 1e9)) == (2 * 1872, 32)
    assert (views.images, round(views.size / 1e9)) == (len(views.series), 49)
