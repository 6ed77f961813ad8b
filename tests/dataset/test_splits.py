import pandas as pd
import pytest

from lemons_core.base.errors import DataError
from lemons_core.dataset.splits import assert_disjoint, hold_out


def table(patients):
    return pd.DataFrame({"patient_id": [f"P{n % patients}" for n in range(patients * 3)]})


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_hold_out_keeps_a_patient_on_one_side(share):
    rest, held = hold_out(table(10), share=share, seed=0)
    assert not set(rest["patient_id"]) & set(held["patient_id"])
    assert len(rest) + len(held) == 30
    assert len(rest)
    assert len(held)


def test_hold_out_is_seeded():
    first, again, other = (hold_out(table(30), share=0.3, seed=s)[1]["patient_id"].tolist() for s in (1, 1, 2))
    assert first == again != other


def test_a_patient_on_two_sides_is_refused():
    with pytest.raises(DataError, match="1 patients are on two sides of a split, such as P0"):
        assert_disjoint(table(2), table(1))


def test_one_patient_cannot_be_split():
    with pytest.raises(DataError, match="at least two patients"):
        hold_out(table(1), share=0.5, seed=0)
