"""Pages through app.py, as a visitor meets them."""

import base64
import json
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
PAGES = ["pages/home.py", "pages/dataset.py", "pages/case.py", "pages/scan.py"]


def open_page(page: str = PAGES[0], **query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    if page != PAGES[0]:  # only now does AppTest know of the page, and runs it inside app.py
        at.switch_page(page)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
    assert not at.exception, at.exception
    return at


def words(at: AppTest) -> str:
    """Everything written on the page, without the markdown escapes."""
    kinds = (at.markdown, at.caption, at.error, at.warning, at.info, at.title, at.subheader)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def charts(at: AppTest) -> list[dict]:
    return [json.loads(element.proto.spec) for element in at.get("plotly_chart")]


def numbers(values: list | dict) -> list[float]:
    """Numbers of a plotly trace, which may be packed."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values


def pictures(at: AppTest) -> str:
    """Captions of the pictures on the page."""
    return "\n".join(picture.caption for element in at.get("image") for picture in element.proto.imgs)
