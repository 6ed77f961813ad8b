"""What the pages know before anything is read."""

from lemons_core.base.config import Origin, choose_data
from lemons_core.base.progress import no_progress
from lemons_core.dataset import film
from lemons_core.dataset.overview import SampleOrigin, from_json, to_json
from lemons_core.ui.shell import worker


def test_the_ready_overview_is_what_a_reading_gives(tmp_path, monkeypatch):
    """Where the tables, the notes' model or the samples have changed: `python -m lemons_core.ui.shell.worker`."""
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    data = choose_data(Origin.PUBLISHED)
    ready = worker.read_overview(data, progress=no_progress)
    data.root.mkdir()  # images may have been fetched from now on: a child process reads everything
    assert worker.read_overview(data, progress=no_progress) == ready
    assert from_json(to_json(ready)) == ready
    assert next(iter(ready.sample_lists())) == "real film" and len(ready.films) == 8
    worker.write_ready(tmp_path / "published.json")
    assert (tmp_path / "published.json").read_bytes() == worker.READY.read_bytes()


def test_without_the_package_of_real_film_there_are_other_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("LEMONS_CACHE", str(tmp_path))
    monkeypatch.setattr(film, "find_spec", lambda name: None)
    seen = worker.read_overview(choose_data(Origin.PUBLISHED), progress=no_progress)
    assert "real film" not in seen.sample_lists()
    assert all(sample.origin == SampleOrigin.SIMULATED for one in seen.sample_lists().values() for sample in one)
