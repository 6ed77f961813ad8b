"""Raw log-odds to log-odds that hold: a rising line fitted to out-of-fold predictions."""

from dataclasses import dataclass

import numpy as np

_STEP = 1e-3  # least slope, so that two different scores never become one
_PULL = 80  # rows' worth of Platt's straight line in every knot: of 1-80 the lowest Brier score in nested grouped CV


@dataclass(frozen=True)
class NoteCalibration:
    """A rising line through knots; beyond the ends it goes on in parallel to the raw score.

    raw, calibrated : log-odds of the knots, both rising; empty for a model that needs none
    """

    raw: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """(N,) calibrated log-odds; the order of the raw ones is kept."""
        if not self.raw:
            return np.asarray(raw, dtype=float)
        inside = np.clip(raw, self.raw[0], self.raw[-1])
        return np.interp(inside, self.raw, self.calibrated) + (raw - inside)


def fit_calibration(raw: np.ndarray, labels: np.ndarray) -> NoteCalibration:
    """Fit on predictions for rows that the predicting model did not see.

    Blocks of isotonic regression become knots at their mean score, joined by straight lines, so the ranking (and AUC)
    of the raw scores is kept. Small blocks are pulled to Platt's straight line: alone, either bends too much or too
    little.

    raw : (N,) log-odds
    labels : (N,) 0 or 1, both present

    Source: Oron and Flournoy 2017, Centered isotonic regression, doi:10.1080/19466315.2017.1286256; Platt 1999.
    """
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    # liblinear: one thread. On a busy machine the threads of the default solver wait for each other.
    line = LogisticRegression(C=1e6, solver="liblinear").fit(raw[:, None], labels)
    _, block = np.unique(IsotonicRegression().fit(raw, labels).predict(raw), return_inverse=True)
    n = np.bincount(block)
    centre = np.bincount(block, weights=raw) / n
    prior = line.predict_proba(centre[:, None])[:, 1]
    # Half a case of each kind more: a block without a malignant row proves no certainty.
    share = (np.bincount(block, weights=labels) + _PULL * prior + 0.5) / (n + _PULL + 1)
    odds = np.log(share / (1 - share))
    rising = np.maximum.accumulate(odds - _STEP * centre) + _STEP * centre
    return NoteCalibration(tuple(centre.tolist()), tuple(rising.tolist()))
