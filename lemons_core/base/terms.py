"""The vocabulary of the field: what CBIS-DDSM writes, what BI-RADS calls it, and how we say it in plain words."""

from enum import StrEnum


class Laterality(StrEnum):
    """Side of the breast, DICOM's own values (0020,0060)."""

    L = "L"
    R = "R"


class View(StrEnum):
    """Mammographic projection: cranio-caudal or medio-lateral oblique, DICOM's own values (0018,5101)."""

    CC = "CC"
    MLO = "MLO"


class Pathology(StrEnum):
    """Outcome as CBIS-DDSM writes it; without callback: judged benign, never biopsied."""

    BENIGN = "BENIGN"
    BENIGN_WITHOUT_CALLBACK = "BENIGN_WITHOUT_CALLBACK"
    MALIGNANT = "MALIGNANT"


class AbnormalityType(StrEnum):
    """What the case table describes."""

    CALCIFICATION = "calcification"
    MASS = "mass"


class Group(StrEnum):
    """The four groups that calcification types are sorted into, in the order every table and plot uses."""

    AMORPHOUS = "amorphous"
    MACRO = "macro"
    MICRO = "micro"
    VASCULAR = "vascular"


GROUPS: tuple[Group, ...] = tuple(Group)

# Raw tokens of `calc type` in one spelling, with the words shown to people. Where CBIS-DDSM (BI-RADS 4th edition) and
# BI-RADS 5 differ, the 5th edition's term.
_MORPHOLOGY = {
    "AMORPHOUS": "amorphous", "COARSE": "coarse (popcorn)", "DYSTROPHIC": "dystrophic", "EGGSHELL": "rim (eggshell)",
    "FINE_LINEAR_BRANCHING": "fine linear or branching", "LARGE_RODLIKE": "large rod-like",
    "LUCENT_CENTERED": "lucent-centred", "MILK_OF_CALCIUM": "milk of calcium", "PLEOMORPHIC": "pleomorphic",
    "PUNCTATE": "punctate", "ROUND_AND_REGULAR": "round and regular", "SKIN": "skin", "VASCULAR": "vascular",
}  # fmt: skip
_DISTRIBUTION = {
    "CLUSTERED": "grouped", "DIFFUSELY_SCATTERED": "diffuse", "LINEAR": "linear", "REGIONAL": "regional",
    "SEGMENTAL": "segmental",
}  # fmt: skip
MORPHOLOGY: tuple[str, ...] = tuple(_MORPHOLOGY)
MORPHOLOGY_TWINS: dict[str, str] = {"LUCENT_CENTER": "LUCENT_CENTERED"}  # mapped on reading
DISTRIBUTION: tuple[str, ...] = tuple(_DISTRIBUTION)
MASS_SHAPE: tuple[str, ...] = (
    "ARCHITECTURAL_DISTORTION", "ASYMMETRIC_BREAST_TISSUE", "FOCAL_ASYMMETRIC_DENSITY", "IRREGULAR", "LOBULATED",
    "LYMPH_NODE", "OVAL", "ROUND",
)  # fmt: skip
MASS_MARGINS: tuple[str, ...] = ("CIRCUMSCRIBED", "ILL_DEFINED", "MICROLOBULATED", "OBSCURED", "SPICULATED")
DISPLAY: dict[str, str] = {
    **_MORPHOLOGY, **_DISTRIBUTION, "BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign, no callback",
    "MALIGNANT": "malignant", "L": "left", "R": "right",
}  # fmt: skip

# One sentence a group, for people who have never read a mammogram.
GROUP_WORDS: dict[Group, str] = {
    Group.AMORPHOUS: "Specks so small or hazy that no shape can be told; suspicious enough for a biopsy (BI-RADS 4B).",
    Group.MACRO: "Coarse, round, ring- or rod-shaped deposits; typically benign.",
    Group.MICRO: "Fine specks with a visible shape: pleomorphic, fine linear or punctate; often suspicious (4B, 4C).",
    Group.VASCULAR: "Parallel tracks along an artery wall; benign in the breast, a marker of cardiovascular risk.",
}

# What it is, what it looks like, what it goes with.
GROUP_ABOUT: dict[Group, tuple[str, str, str]] = {
    Group.AMORPHOUS: (
        "Very fine calcium, often in the smallest units of the gland.",
        "A hazy cluster of specks of 0.1-0.3 mm without a shape of their own.",
        "Mostly benign change such as sclerosing adenosis; about a fifth turn out malignant when biopsied alone.",
    ),
    Group.MACRO: (
        "Large deposits in fat, ducts, old fibroadenomas, skin or scars.",
        "Popcorn, smooth discs, rings, rods, crescents; mostly over 0.5 mm.",
        "Ageing, healed injury or surgery, benign tumours. No follow-up as a rule.",
    ),
    Group.MICRO: (
        "Small deposits with a visible shape, in ducts and lobules.",
        "Grains that differ in size and shape, fine broken lines, or round points under 0.5 mm.",
        "From harmless adenosis to ductal carcinoma in situ; fine linear and branching ones most of all.",
    ),
    Group.VASCULAR: (
        "Calcium in the middle layer of artery walls.",
        "Two parallel tracks along a winding vessel, often broken.",
        "Age, diabetes, kidney disease; more of it goes with more cardiovascular disease.",
    ),
}


def display(raw: str) -> str:
    """The words to show for a raw value; compounds (`A-B`) are joined with a plus sign, unknown text is kept."""
    return " + ".join(DISPLAY.get(token, token.replace("_", " ").lower()) for token in raw.split("-"))
