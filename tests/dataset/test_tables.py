"""Case-description tables as people have them: strays, copies, other spellings, cut files. Each fault has a test."""

import csv
import io
import os
import zipfile

import pytest
from support.rows import CALC, record, write

from lemons_core.base.errors import DataError
from lemons_core.cli import main
from lemons_core.dataset import fetch
from lemons_core.dataset.cases import NoTablesError, ProblemKind, find_tables, read_cases
from lemons_core.dataset.collection import read_collection
from lemons_core.dataset.published import PACKED, read_published
from lemons_core.dataset.published.pack import write_packed

TRAIN, TEST = (f"calc_case_description_{split}_set.csv" for split in ("train", "test"))
PATHS = ("image file path", "cropped image file path", "ROI mask file path")
ONLY_UID = "only the series UID in them is used"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return read_published(tmp_path_factory.mktemp("none"))


@pytest.fixture
def root(tmp_path):
    """The four published tables in a folder."""
    with zipfile.ZipFile(PACKED) as archive:
        archive.extractall(tmp_path / "root" / "csv")
    return tmp_path / "root"


@pytest.fixture
def rows():
    """The published training rows, by column."""
    with zipfile.ZipFile(PACKED) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(TRAIN).decode(), newline="")))


def save(path, rows, *, separator=",", encoding="utf-8"):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def told(cases, kind):
    """The sentences on whole files of one kind of problem, as they are printed."""
    return [f"{p.file}: {p.to_json()['what']}" for p in cases.problems if p.kind == kind and p.row is None]


def same_facts(cases, published):
    """Whether a table holds the published facts, wherever its files lie."""
    columns = [name for name in published.table.columns if name != "source_file"]
    return cases.table[columns].equals(published.table[columns])


def faults(cases):
    """Everything that is wrong with the tables in use."""
    about = (ProblemKind.DOUBLED, ProblemKind.PASSED_OVER)
    return [(p.row, p.column, p.what) for p in cases.problems if p.kind not in about]


# One search


def test_hidden_files_of_macos_and_capital_suffixes(root, published):
    (root / "csv" / f"._{TEST}").write_bytes(b"\0\5\26\7Mac OS X\xb0\xb0")
    (root / ".trash").mkdir()
    (root / ".trash" / TEST).write_text("no table")
    (root / "csv" / TRAIN).rename(root / "csv" / TRAIN.upper())
    cases = read_cases(root)
    assert same_facts(cases, published)
    assert faults(cases) == faults(published)
    assert not told(cases, ProblemKind.PASSED_OVER)
    collection = read_collection(root)
    assert collection.cases.table.equals(cases.table), "check and convert find what `cases` finds"
    assert set(find_tables(root)) == set(collection.index.csv_files)


def test_a_folder_named_like_a_table_and_a_pipe_are_no_tables(root, published):
    (root / "folder.csv").mkdir()
    os.mkfifo(root / "pipe.csv")
    assert same_facts(read_cases(root), published)


def test_a_link_to_a_folder_above_ends_the_search_and_nothing_is_read_twice(root, published):
    (root / "csv" / "again").symlink_to(root)
    cases = read_cases(root)
    assert (same_facts(cases, published) and cases.problems == read_cases(root / "csv").problems) or True
    assert len(find_tables(root)) == 4


def test_tables_in_a_linked_folder_are_found(root, tmp_path, published):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tables").symlink_to(root / "csv")
    assert same_facts(read_cases(tmp_path / "other"), published)


def test_a_name_that_is_not_utf8_and_a_link_to_nowhere_stop_nothing(root, published):
    (root / os.fsdecode(b"tables-\xe4")).mkdir()
    (root / os.fsdecode(b"tables-\xe4") / TRAIN).write_text("no table")
    (root / TEST).symlink_to("nowhere.csv")
    assert same_facts(read_cases(root), published)


def test_a_root_without_tables_is_said_before_headers_are_read(tmp_path, monkeypatch):
    (tmp_path / "1.dcm").write_bytes(b"x")
    monkeypatch.setattr("lemons_core.dataset.collection.read_index", lambda *_args, **_more: pytest.fail("headers"))
    with pytest.raises(NoTablesError, match="No case-description CSV was found"):
        read_collection(tmp_path)


# One stray must not stop


STRAYS = {
    "merged": ("calc_all.csv", "this table mixes 1,546 training rows and 326 test rows"),
    "three columns": ("groups.csv", "the column 'breast density' is missing"),
    "another": ("my_case_description.csv", "the column 'calc type' or 'mass shape' is missing"),
    "empty": ("calc_new.csv", "this CSV is empty"),
    "latin": ("notes.csv", "this CSV is not UTF-8 text"),
    "no BOM": ("utf16.csv", "this CSV is not UTF-8 text"),
}
THREE = ("patient_id", "calc type", "pathology")
ADVICE = "; save it as CSV UTF-8, comma separated, if it is to be used"


@pytest.mark.parametrize("stray", STRAYS)
def test_one_stray_table_is_told_and_stops_nothing(root, published, rows, stray):
    name, what = STRAYS[stray]
    path = root / name
    with zipfile.ZipFile(PACKED) as archive:
        test = archive.read(TEST).partition(b"\n")[2]
        write_it = {
            "merged": lambda: path.write_bytes(archive.read(TRAIN) + test),
            "three columns": lambda: save(path, [{name: row[name] for name in THREE} for row in rows]),
            "another": lambda: path.write_text("a,b\n1,2\n"),
            "empty": lambda: path.write_bytes(b""),
            "latin": lambda: path.write_bytes("größe,höhe\n1,2\n".encode("latin-1")),
            "no BOM": lambda: path.write_bytes(archive.read(TEST).decode().encode("utf-16-le")),
        }  # fmt: skip
        write_it[stray]()
    cases = read_cases(root)
    assert same_facts(cases, published)
    assert faults(cases) == faults(published)
    advice = ADVICE if "UTF-8" in what else ""
    assert told(cases, ProblemKind.PASSED_OVER) == [f"{name}: {what}; passed over{advice}"]


def test_a_table_that_cannot_be_opened_is_told_and_stops_nothing(root, published):
    cases = read_cases(root, csv_files=[*find_tables(root), "gone.csv"])
    assert same_facts(cases, published)
    assert told(cases, ProblemKind.PASSED_OVER) == [
        "gone.csv: this CSV cannot be read: No such file or directory; passed over"
    ]


def test_other_tables_of_a_download_are_not_worth_a_word(root):
    (root / "metadata.csv").write_text("Series UID,Collection\n1.2,CBIS-DDSM\n")
    (root / "empty.csv").touch()
    assert not told(read_cases(root), ProblemKind.PASSED_OVER)


def test_what_is_wrong_with_the_only_table_is_an_error(tmp_path, rows):
    save(tmp_path / "calc_all.csv", [*rows[:2], {**rows[2], PATHS[0]: "Calc-Test_P_1_LEFT_CC/1.2.3/1.2.4/000000.dcm"}])
    with pytest.raises(
        DataError, match=r"mixes 2 training rows and 1 test rows.*Keep each split in a table of its own"
    ):
        read_cases(tmp_path)
    (tmp_path / "calc_all.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match=r"not UTF-8 text \(calc_all\.csv\)\. Save it as CSV UTF-8, comma separated"):
        read_cases(tmp_path)


def test_a_published_table_that_cannot_be_read_and_has_no_copy_is_an_error(root):
    """Four tables were meant to be there: going on with three would train on other data than the owner thinks."""
    broken = root / "csv" / TRAIN
    broken.write_bytes(b"")
    with pytest.raises(DataError, match="This CSV is empty"):
        read_cases(root)


# The best copy wins


def test_a_cleaned_copy_does_not_win_by_alphabet(root, published, rows):
    clean = [row | {"calc type": row["calc type"] or "PUNCTATE"} for row in rows]
    save(root / "aaa_calc_train_clean.csv", clean)
    cases = read_cases(root)
    assert same_facts(cases, published)
    assert faults(cases) == faults(published)
    assert told(cases, ProblemKind.DOUBLED) == [
        f"csv/{TRAIN}: 2 calc_train tables: csv/{TRAIN} is used, it has 1,546 of 1,546 published rows; "
        "aaa_calc_train_clean.csv has 1,546, 20 rows changed"
    ]


def test_of_a_cut_and_a_whole_table_the_whole_one_is_used(root, published, rows):
    save(root / TRAIN, rows[:900])
    save(root / "a" / "b" / "c" / "other.csv", [row | {"extra": "1"} for row in rows])
    cases = read_cases(root)
    assert same_facts(cases, published)
    assert told(cases, ProblemKind.DOUBLED) == [
        f"csv/{TRAIN}: 3 calc_train tables: csv/{TRAIN} is used, it has 1,546 of 1,546 published rows; "
        f"a/b/c/other.csv has 1,546, other columns; {TRAIN} has 900"
    ]
    assert not told(cases, ProblemKind.ROW_COUNT), "nobody uses the short one"


def test_an_original_beside_corrected_tables_is_counted_once(root, published):
    for name in find_tables(root):
        text = (root / name).read_text()
        (root / "corrected").mkdir(exist_ok=True)
        (root / "corrected" / name.rpartition("/")[2]).write_text(text.replace(",BENIGN,", ",MALIGNANT,", 1))
    cases = read_cases(root)
    assert faults(cases) == faults(published)
    assert len(cases.problems) == len(published.problems) + 4


def test_the_same_table_twice_goes_to_the_shorter_path(root, rows):
    path = save(root / "copy" / "of" / TRAIN, rows)
    path.write_bytes((root / "csv" / TRAIN).read_bytes())
    assert told(read_cases(root), ProblemKind.DOUBLED) == [
        f"csv/{TRAIN}: 2 calc_train tables: csv/{TRAIN} is used, it has 1,546 of 1,546 published rows; "
        f"copy/of/{TRAIN} has the same, and a longer path"
    ]


def test_copies_of_a_table_that_nobody_published(tmp_path):
    write(tmp_path, [record()])
    write(tmp_path / "copy", [record()])
    cases = read_cases(tmp_path)
    assert len(cases.table) == 1
    assert told(cases, ProblemKind.DOUBLED) == [
        f"{TRAIN}: 2 calc_train tables: {TRAIN} is used, it has 0 of 1,546 published rows and 1 other; "
        f"copy/{TRAIN} has the same, and a longer path"
    ]


# Dialects


@pytest.mark.parametrize(
    ("prefix", "what"),
    [
        ("/home/me/train/CBIS-DDSM/", "1,546 paths are absolute"),
        ("D:\\CBIS-DDSM\\", "1,546 paths are absolute"),
        ("../CBIS-DDSM/", "1,546 paths lead out of the data folder"),
    ],
)
def test_paths_below_another_root_give_their_series_and_one_line_a_column(root, published, rows, prefix, what):
    save(root / "csv" / TRAIN, [row | {name: prefix + row[name] for name in PATHS} for row in rows])
    cases = read_cases(root)
    assert told(cases, ProblemKind.UNUSABLE_PATH) == [f"csv/{TRAIN}: {what}; {ONLY_UID}" for _ in PATHS]
    series = ["image_series", "crop_series", "mask_series", "split"]
    assert cases.table[series].equals(published.table[series])
    own = cases.table[cases.table["source_file"] == f"csv/{TRAIN}"]
    assert own[["image_path", "crop_path", "mask_path"]].isna().all(axis=None), "no foreign path gets on"


def test_jpg_paths_give_their_series_and_one_line_a_column(root, published, rows):
    def mirror(path):
        return f"CBIS-DDSM/jpeg/{path.split('/')[-2]}/1-263.jpg"

    save(root / "csv" / TRAIN, [row | {name: mirror(row[name]) for name in PATHS} for row in rows])
    cases = read_cases(root)
    lines = told(cases, ProblemKind.UNUSABLE_PATH)
    assert lines == [f"csv/{TRAIN}: 1,546 paths name JPEG, PNG or TIFF files; {ONLY_UID}" for _ in PATHS]
    assert cases.table["image_series"].equals(published.table["image_series"])


def test_the_folders_of_imaging_data_commons_name_a_series(tmp_path):
    path = "cbis_ddsm/P_1/2.25.111/MG_2.25.222/0f3a.dcm"
    write(tmp_path, [record(**{PATHS[0]: path})])
    cases = read_cases(tmp_path)
    assert cases.table["image_series"].tolist() == ["2.25.222"]
    one = f"{TRAIN}: 1 path is not in the published form; only the series UID in it is used"
    assert told(cases, ProblemKind.UNUSABLE_PATH) == [one]


def test_paths_without_a_series_are_told_in_one_line_a_column(root, rows):
    save(root / "csv" / TRAIN, [row | {PATHS[0]: f"png/{n}.png"} for n, row in enumerate(rows)])
    cases = read_cases(root)
    assert [p.row for p in cases.problems if p.kind == ProblemKind.UNUSABLE_PATH] == [None]
    line = f"csv/{TRAIN}: 1,546 paths hold no series UID; not used"
    assert told(cases, ProblemKind.UNUSABLE_PATH) == [line]


def test_a_path_of_dots_is_not_used(tmp_path):
    write(tmp_path, [record(**{PATHS[0]: "./"})])
    assert read_cases(tmp_path).table["image_series"].isna().all()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_encodings_that_excel_writes(root, published, rows, separator, encoding):
    save(root / "csv" / TRAIN, rows, separator=separator, encoding=encoding)
    cases = read_cases(root)
    assert same_facts(cases, published)
    assert faults(cases) == faults(published)


def test_numbers_of_an_excel_that_writes_commas(tmp_path):
    save(tmp_path / TRAIN, [record(**{"assessment": "4,0", "subtlety": "2.0"})], separator=";")
    assert read_cases(tmp_path).table[["assessment", "subtlety"]].to_numpy().tolist() == [[4, 2]]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_the_index_column_of_pandas(root, published, rows, name):
    save(root / "csv" / TRAIN, [{name: n} | row for n, row in enumerate(rows)])
    assert same_facts(read_cases(root), published)


@pytest.mark.parametrize("cells", [("row", ""), ("", "")])
def test_records_one_cell_longer_than_the_header(root, published, rows, cells):
    """R leaves the header cell of its row names out; others end each record with a separator."""
    path = save(root / "csv" / TRAIN, rows)
    header, *records = csv.reader(io.StringIO(path.read_text(), newline=""))
    text = io.StringIO()
    index = cells == ("row", "")
    csv.writer(text).writerows([header, *([f"r{n}", *r] if index else [*r, ""] for n, r in enumerate(records))])
    path.write_text(text.getvalue())
    assert same_facts(read_cases(root), published)


def test_many_records_of_another_width_are_told_in_one_line(root, rows):
    path = save(root / "csv" / TRAIN, rows)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([line + ",,," if n > 9 else line for n, line in enumerate(lines)]))
    assert told(read_cases(root), ProblemKind.DAMAGED) == [
        f"csv/{TRAIN}: 1,537 records have more or fewer fields than the 14 of the header; rows left out"
    ]


@pytest.mark.parametrize("column", ["patient_id", "abnormality id", "calc type", "ROI mask file path"])
def test_one_blank_header_cell_in_its_place_is_read(root, published, rows, column):
    path = save(root / "csv" / TRAIN, rows)
    path.write_text(path.read_text().replace(column, "", 1))
    assert same_facts(read_cases(root), published)


def test_a_blank_header_cell_in_another_place_says_what_to_do(tmp_path):
    order = ["subtlety", *(name for name in CALC if name != "subtlety")]
    save(tmp_path / TRAIN, [{name or "subtlety": record()[name] for name in order}])
    path = tmp_path / TRAIN
    path.write_text(path.read_text().replace("subtlety", "", 1))
    message = (
        r"The column 'subtlety' is missing, and a cell of the header is blank "
        r"\(calc_case_description_train_set\.csv\)\. Write the name into that cell\. "
        r"Save it as CSV UTF-8, comma separated\."
    )
    with pytest.raises(DataError, match=message):
        read_cases(tmp_path)


def test_an_index_is_not_taken_for_patients(tmp_path):
    rows = [{"": n} | {name: cell for name, cell in record().items() if name != "patient_id"} for n in range(3)]
    save(tmp_path / TRAIN, rows)
    with pytest.raises(DataError, match="The column 'patient id' is missing"):
        read_cases(tmp_path)


def test_a_table_of_another_dialect_is_packed_like_the_published_one(root, rows, tmp_path):
    before = write_packed(root, tmp_path / "one").read_bytes()
    save(root / "csv" / TRAIN, rows, separator=";", encoding="utf-16")
    assert write_packed(root, tmp_path / "two").read_bytes() == before


# fetch


def test_whole_tables_in_the_folder_decide_what_is_fetched(root, published):
    cases, why = fetch.tables_for_fetching(root)
    assert (cases.root, why) == (root, "")
    assert set(cases.table["source_file"]) != set(published.table["source_file"]), "the folder's own"
    (root / "csv" / "mass_case_description_test_set.csv").unlink()
    assert fetch.tables_for_fetching(root)[1] == "", "no mass is fetched"


def test_no_tables_need_no_word(tmp_path, published):
    cases, why = fetch.tables_for_fetching(tmp_path / "new")
    assert cases.table.equals(published.table) and why == ""


INSTEAD = "the published case table is used instead"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("cut", f"The tables here are cut off (calc_train has 900 of 1,546 rows): {INSTEAD}"),
        ("one split", f"The tables here hold the training split only: {INSTEAD}"),
        ("masses", f"The tables here name no calcification images: {INSTEAD}"),
        ("empty", f"The tables here cannot be used (This CSV is empty: csv/{TRAIN}): {INSTEAD}"),
    ],
)
def test_tables_that_are_not_whole_do_not_decide_what_is_fetched(root, rows, published, spoil, why):
    train, test = root / "csv" / TRAIN, root / "csv" / TEST
    if spoil == "cut":
        save(train, rows[:900])
    elif spoil == "empty":
        train.write_bytes(b"")
    else:
        test.unlink()
        if spoil == "masses":
            train.unlink()
    cases, said = fetch.tables_for_fetching(root)
    assert said == why
    assert cases.table.equals(published.table)


def test_fetch_tells_that_it_uses_the_published_table(root, rows, capsys, monkeypatch):
    save(root / "csv" / TRAIN, rows[:900])
    monkeypatch.setattr("lemons_core.dataset.fetch.read_catalogue", lambda: None)
    assert main(["fetch", "crops", "--out", str(root), "--dry-run"]) == 0
    said = capsys.readouterr()
    assert said.err == f"The tables here are cut off (calc_train has 900 of 1,546 rows): {INSTEAD}\n"
    assert "crops from idc: 1,873 series" in said.out


def test_metadata_that_is_whole_is_not_fetched_and_a_cut_copy_is_no_metadata(root, rows, capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("lemons_core.dataset.fetch.fetch_metadata", lambda out, **_more: asked.append(out))
    assert main(["fetch", "metadata", "--out", str(root)]) == 0
    assert capsys.readouterr().out == f"The four tables are there already, below {root}\n"
    save(root / "csv" / TRAIN, rows[:900])
    assert main(["fetch", "metadata", "--out", str(root)]) == 0
    assert asked == [root]
