"""Every page through app.py, as a visitor meets it: data there or not, good files and bad ones."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from support.pages import PAGES, ROOT, charts, numbers, open_page, pictures, words

from lemons_core.base import config
from lemons_core.ui.shell import parts


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_names_its_data(demo, page):
    at = open_page(page)
    assert not at.error and len(at.title) == 1
    assert "simulated" in (words(at) + pictures(at)).lower()


def test_the_sidebar_names_the_data_and_the_limits(demo):
    at = open_page()
    assert at.sidebar.selectbox[0].value == "demo"
    assert "with a crop on disk" in at.sidebar.caption[0].value
    assert config.NOTICE in at.sidebar.caption[1].value


def test_a_newcomer_sees_the_published_table_everywhere_and_nothing_is_drawn_for_it():
    texts = {page: open_page(page) for page in ("pages/home.py", "pages/dataset.py", "pages/case.py")}
    for page, at in texts.items():
        assert not at.error and "CBIS-DDSM case table" in words(at), page
    home, data = texts["pages/home.py"], texts["pages/dataset.py"]
    assert home.sidebar.selectbox[0].value == "published"
    assert [metric.value for metric in home.metric] == ["1,872", "290", "137", "AUC 0.866"]
    assert [metric.value for metric in data.metric[:3]] == ["1,872", "1,045", "753"]
    assert "Malignant: 673 rows" in words(data) and "290 faults of 8 kinds" in words(data)


def test_other_data_are_chosen_in_the_sidebar_and_stay_through_a_change_of_page(demo, monkeypatch):
    monkeypatch.delenv("LEMONS_DATA")
    at = open_page()
    at.sidebar.selectbox[0].set_value("demo").run()
    assert at.query_params["data"] == "demo" and "simulated demo data" in words(at)
    at.switch_page("pages/dataset.py").run()
    assert "simulated demo data" in words(at) and "&data=demo" in at.dataframe[-1].value["open"].iloc[0]


def test_the_address_names_the_data(demo, monkeypatch):
    monkeypatch.delenv("LEMONS_DATA")
    assert "simulated demo data" in words(open_page("pages/dataset.py", data="demo"))
    assert "published case table" in words(open_page("pages/dataset.py", data="../../etc"))


@pytest.mark.parametrize("page", PAGES)
def test_a_bad_data_folder_is_told_and_the_page_stands(monkeypatch, tmp_path, page):
    monkeypatch.setenv("LEMONS_DATA", str(tmp_path / "nowhere"))
    at = open_page(page)
    assert "data folder does not exist" in at.error[0].value
    assert at.title


def test_the_start_page_says_what_it_is_and_is_not(demo):
    text = words(open_page())
    assert "Not affiliated with the charity" in text
    assert "not a diagnosis" in text and "simulated" in text
    assert "220 rows" in text and "95% interval" in text, "shares of a group carry their n and interval"


def test_every_filter_acts_at_once_and_lives_in_the_address(demo):
    query = {
        "split": "train",
        "view": "CC (from above)",
        "side": "left",
        "density": "2 scattered",
        "assessment": "4 suspicious",
    }
    at = open_page("pages/dataset.py", **query)
    rows = int(at.metric[0].value.replace(",", ""))
    assert 0 < rows < 200
    assert f"{rows:,} of 1,872 rows" in words(at)
    assert "breast density 2 scattered; assessment 4 suspicious; view CC (from above); side left" in words(at)
    total = sum(sum(numbers(trace["x"])) for trace in charts(at)[0]["data"] if trace["type"] == "bar")
    assert total >= rows, "the chart counts the same rows"
    assert len(at.dataframe[-1].value) == rows, "and the table lists them"
    next(button for button in at.button if button.label == "Clear all").click().run()
    assert at.metric[0].value == "1,872" and "All 1,872 rows" in words(at)


def test_no_row_left_is_a_state_of_its_own(demo):
    at = open_page("pages/dataset.py", group="vascular", pathology="malignant")
    assert "No row is left" in at.info[0].value and not charts(at) and not at.error


def test_the_rows_lead_to_the_case_viewer_with_the_filters(demo):
    at = open_page("pages/dataset.py", group="vascular")
    link = at.dataframe[-1].value["open"].iloc[0]
    assert link.startswith("case?case=P_") and "&in_group=vascular" in link


def test_gaps_pairs_and_faults_are_shown(demo):
    at = open_page("pages/dataset.py", pairs="morphology")
    text = words(at)
    assert "without calc distribution are malignant" in text
    assert "crop and mask swapped" in json.dumps(charts(at)) and "rows without all of their images" in text
    pairs = next(chart["data"][0] for chart in charts(at) if chart["data"][0]["type"] == "heatmap")
    assert "pleomorphic" in pairs["x"] and "vascular" in pairs["x"]


def test_the_data_page_plots_what_the_address_asks_for(demo):
    at = open_page("pages/dataset.py", by="morphology", split="test", group="micro")
    assert "pleomorphic" in charts(at)[0]["data"][0]["y"]
    rows = int(at.metric[0].value.replace(",", ""))
    assert 0 < rows < 326
    assert f"n = {rows:,} rows" in words(at)
    assert "not screening PPVs" in words(at)


def test_a_filter_changes_every_plot(demo):
    at = open_page("pages/dataset.py")
    before = charts(at)[0]
    at.button_group(key="split").set_value(["test"]).run()
    assert at.metric[0].value == "326"
    assert charts(at)[0] != before


@pytest.mark.parametrize("by", ["group", "morphology", "distribution", "density", "assessment", "view", "split"])
def test_every_division_is_drawn(demo, by):
    at = open_page("pages/dataset.py", by=by)
    bars = [trace for trace in charts(at)[0]["data"] if trace["type"] == "bar"]
    assert len(bars) == 3 and sum(sum(numbers(bar["x"])) for bar in bars) >= 1872


def test_a_collection_without_images_says_so_and_how_to_get_them(demo, monkeypatch, tmp_path):
    shutil.copytree(demo / "csv", tmp_path / "tables" / "csv")
    monkeypatch.setenv("LEMONS_DATA", str(tmp_path / "tables"))
    at = open_page("pages/dataset.py")
    assert "0 of 1,872 abnormalities have images on disk" in at.warning[0].value
    assert all(way in words(at) for way in ("TCIA", "Imaging Data Commons", "Kaggle", "cancerimagingarchive.net"))
    home = open_page()
    assert home.sidebar.selectbox[0].value == "folder" and "no images on disk" in home.sidebar.caption[0].value


def test_the_real_collection_is_shown_without_its_images(real_data, monkeypatch):
    monkeypatch.setenv("LEMONS_DATA", str(real_data))
    at = open_page("pages/dataset.py")
    assert [metric.value for metric in at.metric[:3]] == ["1,872", "1,045", "753"]
    assert "of 1,872 abnormalities have images on disk" in at.warning[0].value
    assert "TCIA" in words(at)


def test_text_from_files_is_never_markup():
    assert parts.plain("- a") == "\\- a" and parts.plain("1. a") == "1\\. a" and parts.plain("a\n\n# b") == "a \\# b"


def test_the_start_page_loads_no_learning_library():
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "at = AppTest.from_file('app.py', default_timeout=120).run()\n"
        "assert not at.exception and at.title\n"
        "print([m for m in ('torch', 'torchvision', 'xgboost', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_server_stays_small_until_something_is_classified():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: urlopen(f"http://localhost:{port}/_stcore/health").read() == b"ok")
        text = visit_start_page(port)
        assert "**220 rows**" in text and "1,045 lesions" in text, "the data was read"
        status = Path(f"/proc/{server.pid}/status").read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        assert resident < 150, f"{resident:.0f} MB"
    finally:
        server.terminate()
        server.wait(10)


def wait_for(ready, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if ready():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.1)


def visit_start_page(port: int) -> str:
    """Open the page as a browser does, without one; returns what the server sent, as text."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from websockets.sync.client import connect

    ask = BackMsg()
    ask.rerun_script.query_string = ""
    seen = []
    with connect(f"ws://localhost:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as socket_:
        socket_.send(ask.SerializeToString())
        for data in socket_:
            message = ForwardMsg.FromString(data)
            seen.append(str(message.delta))
            if message.WhichOneof("type") == "script_finished":
                return "\n".join(seen)
    return ""
