"""Many pictures: complete, in order, and after a kill the same as without."""

import csv
import json
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from lemons_core.base.errors import DataError, LemonsError
from lemons_core.cli import main
from lemons_core.images import write_png
from lemons_core.images.find import find_images
from lemons_core.simulate.crop import simulate_crop
from lemons_core.vision.detect.batch import predict_many
from lemons_core.vision.record.findings import AnalysisOptions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three crops in two folders, one file that is no picture, one that should be."""
    root = tmp_path_factory.mktemp("many")
    (root / "sub").mkdir()
    for number, name in enumerate(("a.png", "b.png", "sub/c.png")):
        crop = simulate_crop(("PLEOMORPHIC",), rng=np.random.default_rng(number), size_px=160)
        write_png(root / name, crop.pixels, spacing_mm=0.1)
    (root / "notes.txt").write_text("nothing to see")
    (root / "sub" / "broken.dcm").write_text("not an image")
    return root


@pytest.fixture(scope="module")
def records(folder):
    return predict_many(find_images([folder]))


class Told:
    """A progress that remembers."""

    def __init__(self):
        self.words = []

    def __call__(self, fraction, text):
        self.words.append(text)


def test_pictures_are_told_by_suffix_or_content_and_links_stay_inside(folder, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(folder, root)
    outside = tmp_path / "outside"
    (outside / "empty").mkdir(parents=True)
    shutil.copy(folder / "a.png", outside / "secret.png")
    (root / "link.png").symlink_to(outside / "secret.png")
    (root / "linked").symlink_to(outside)
    (root / "inside.png").symlink_to(root / "a.png")
    (root / ".hidden.png").write_bytes(b"")
    (root / "IM_0001").write_bytes(b"\0" * 128 + b"DICM")
    (root / "done").mkdir()
    shutil.copy(folder / "a.png", root / "done" / "old.png")
    found = [path.relative_to(root).as_posix() for path in find_images([root], leave_out=[root / "done"])]
    assert found == ["IM_0001", "a.png", "b.png", "inside.png", "sub/broken.dcm", "sub/c.png"]
    twice = find_images([root / "a.png", root / "a.png", root / "notes.txt"])
    assert [path.name for path in twice] == ["a.png", "notes.txt"], "a file that is named is taken as it is"
    with pytest.raises(DataError, match="no picture"):
        find_images([outside / "empty"])


def test_one_bad_file_does_not_stop_the_others(folder, records):
    assert [record["file"] for record in records] == [
        str(folder / name) for name in ("a.png", "b.png", "sub/broken.dcm", "sub/c.png")
    ]
    assert [record["scan"] for record in records] == [1, 2, 3, 4]
    bad = records[2]
    assert set(bad) == {"file", "error", "scan", "mark"}
    assert "broken.dcm" in bad["error"]
    for record in (records[0], records[1], records[3]):
        assert (record["kind"], record["refused"], record["spacing_source"]) == ("crop", None, "given")
        scores = [region["score"] for region in record["regions"]]
        assert scores == sorted(scores, reverse=True)
        for region in record["regions"]:
            assert 0 <= region["row"] < region["row"] + region["height"] <= record["height"]
            assert 0 <= region["col"] < region["col"] + region["width"] <= record["width"]


def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_bytes(folder, records, tmp_path):
    journal = tmp_path / "results.jsonl"
    files = find_images([folder])
    predict_many(files, journal=journal)
    whole = journal.read_bytes()
    assert [json.loads(line) for line in whole.splitlines()] == records
    first, second = whole.splitlines()[:2]
    journal.write_bytes(b"\n" + second + b"\n" + first[:40])  # killed while it wrote
    told = Told()
    assert predict_many(files, journal=journal, progress=told) == records
    assert told.words == ["2 of 4 pictures", "3 of 4 pictures", "4 of 4 pictures"], "b.png was not done again"
    assert journal.read_bytes() == whole
    told.words.clear()
    predict_many(files, journal=journal, progress=told)
    assert told.words == ["4 of 4 pictures"], "only what failed is tried again"


def test_what_changed_is_done_again(folder, tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        shutil.copy(folder / file.name, file)
    journal, told = tmp_path / "results.jsonl", Told()
    predict_many(files, journal=journal, progress=told)
    os.utime(files[0], (1, 1))
    predict_many(files, journal=journal, progress=told)
    assert len(told.words) == 3, "a file of another date"
    predict_many(files, journal=journal, options=AnalysisOptions(min_score=0.9), progress=told)
    assert len(told.words) == 5, "asked for other regions"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line["mark"]["sha256"] = "of another model"
    journal.write_text("\n".join(map(json.dumps, lines)))
    predict_many(files, journal=journal, options=AnalysisOptions(min_score=0.9), progress=told)
    assert len(told.words) == 7, "another model"


def test_two_processes_say_what_one_says(folder, records):
    def rounded(record):
        return json.loads(json.dumps(record), parse_float=lambda text: round(float(text), 3))

    found = predict_many(find_images([folder])[:2], jobs=2)
    assert list(map(rounded, found)) == list(map(rounded, records[:2]))


def test_dask_says_the_same(folder, records):
    distributed = pytest.importorskip("distributed", reason="dask.distributed is optional and not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        found = predict_many(find_images([folder]), dask=cluster.scheduler_address)
    assert [record["file"] for record in found] == [record["file"] for record in records]
    assert found[0]["regions"] == records[0]["regions"]


def test_without_dask_the_message_says_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LemonsError, match="pip install distributed"):
        predict_many([folder / "a.png"], dask="tcp://127.0.0.1:1")


def test_a_colour_photograph_is_refused_unless_one_goes_on_anyhow(tmp_path):
    file = tmp_path / "photo.png"
    photo = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(photo).save(file)
    (record,) = predict_many([file])
    assert "colour" in record["refused"]
    assert (record["probabilities"], record["calcification"], record["regions"]) == (None, None, [])
    (record,) = predict_many([file], options=AnalysisOptions(force=True))
    assert "colour" in record["refused"], "it stays marked"
    assert set(record["probabilities"]) == {"amorphous", "macro", "micro", "vascular"}


def test_a_turned_file_says_which_way_its_boxes_count(folder, tmp_path):
    file = tmp_path / "turned.png"
    image = Image.open(folder / "a.png").crop((0, 0, 160, 120))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(file, exif=exif)
    (record,) = predict_many([file])
    assert (record["width"], record["height"]) == (120, 160)
    assert any("upright" in warning for warning in record["warnings"])


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_writes_tables_reports_and_a_journal(capsys, folder, tmp_path):
    out = tmp_path / "new" / "results.csv"
    arguments = ("predict", folder, "--out", out, "--report", tmp_path / "pdf", "--heatmap", tmp_path / "heat")
    status, text, err = run(capsys, *arguments)
    assert status == 1, "one file failed"
    assert "4 files" in text
    assert "1 failed" in text
    assert "broken.dcm" in text
    assert "4 of 4 pictures" in err
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["file"] for row in rows] == [str(file) for file in find_images([folder])]
    assert rows[2]["error"]
    assert 0 <= float(rows[0]["micro"]) <= 1
    assert "simulated" in rows[0]["trained_on"]
    regions = list(csv.DictReader(out.with_name("results.regions.csv").open(encoding="utf-8")))
    assert len(regions) == sum(int(row["regions"] or 0) for row in rows)
    journal = [json.loads(line) for line in out.with_name("results.jsonl").read_text().splitlines()]
    assert [record["file"] for record in journal] == [row["file"] for row in rows]
    assert sorted(file.name for file in (tmp_path / "pdf").iterdir()) == ["scan-1.pdf", "scan-2.pdf", "scan-4.pdf"]
    assert {Image.open(file).size for file in (tmp_path / "heat").iterdir()} == {(160, 160)}
    (tmp_path / "pdf" / "scan-2.pdf").unlink()
    _, _, err = run(capsys, *arguments)
    assert "3 of 4 pictures" in err, "the lost report is made again, beside the failed file"
    assert "2 of 4 pictures" not in err
    assert (tmp_path / "pdf" / "scan-2.pdf").is_file()


def test_a_file_where_a_folder_must_be_is_told(capsys, folder, tmp_path):
    (tmp_path / "file").write_text("")
    for option in ("--report", "--heatmap"):
        status, _, err = run(capsys, "predict", folder / "a.png", option, tmp_path / "file")
        assert (status, "must name a folder" in err) == (1, True)
    status, _, err = run(capsys, "predict", folder / "a.png", "--out", tmp_path)
    assert (status, "must name a file" in err) == (1, True)
