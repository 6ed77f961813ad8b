"""One fixed colour for each group and pathology, the same on every page and in every picture.

Every colour has a contrast of 3 to 1 or more against the light and the dark page, and the members of one family keep
apart under simulated protanopia, deuteranopia and tritanopia (tests/charts/test_charts.py measures both).
"""

from lemons_core.base.terms import Group, Pathology

LIGHT_PAGE, DARK_PAGE = "#FFFFFF", "#16181D"

GROUP_COLOURS: dict[str, str] = {
    Group.AMORPHOUS: "#994ED7",
    Group.MACRO: "#41699F",
    Group.MICRO: "#C95412",
    Group.VASCULAR: "#1CA461",
}
PATHOLOGY_COLOURS: dict[str, str] = {
    Pathology.MALIGNANT: "#C9225D",
    Pathology.BENIGN: "#6A7CA9",
    Pathology.BENIGN_WITHOUT_CALLBACK: "#94906F",
}
NEUTRAL = "#8A8578"  # one series, no family: missing values, problems
LEMON = "#B08900"  # any calcification


def rgba(colour: str, alpha: float) -> str:
    """A `#RRGGBB` colour with an alpha of 0-1, as CSS and plotly write it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
