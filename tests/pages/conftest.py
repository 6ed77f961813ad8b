"""The data that a page test looks at."""

import pytest


@pytest.fixture(autouse=True)
def _data_in_use(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that asks for the demo set looks at it; every other one sees what a newcomer does."""
    if "demo" in request.fixturenames:
        monkeypatch.setenv("LEMONS_DATA", "demo")
