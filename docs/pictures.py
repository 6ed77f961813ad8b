"""Make the pictures of docs/simulation.md and of the start page: `python docs/pictures.py`.

With LEMONS_REAL_DATA set to a folder with real CBIS-DDSM images, the simulation is also set beside them in docs/local/,
which git ignores: those pictures stay on the machine that made them.
"""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lemons_core.base.errors import ImageError
from lemons_core.base.terms import DISPLAY, MORPHOLOGY
from lemons_core.images import read_image
from lemons_core.mammogram.spacing import FILM_SPACING_MM, kind_of_pixels
from lemons_core.simulate.crop import simulate_crop
from lemons_core.simulate.view import Lesion, simulate_view
from lemons_core.vision.network.preprocess import resample

HERE = Path(__file__).parent
SPACING_MM, SIDE_PX, SHOWN_PX = 0.1, 140, 140
KINDS = (None, *MORPHOLOGY)
# Group, kind, distribution, seed: chosen by eye among many.
GROUP_PICTURES = (
    ("amorphous", "AMORPHOUS", "CLUSTERED", 4),
    ("macro", "COARSE", "CLUSTERED", 6),
    ("micro", "PLEOMORPHIC", "CLUSTERED", 7),
    ("vascular", "VASCULAR", "LINEAR", 4),
)


def grey(pixels: np.ndarray) -> Image.Image:
    low, high = np.percentile(pixels, (0.5, 99.8))
    return Image.fromarray((np.clip((pixels - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8))


def sheet(rows: list[tuple[str, list[Image.Image]]], path: Path) -> None:
    """Rows of pictures with a name before each, as JPEG."""
    margin, columns = 150, max(len(pictures) for _, pictures in rows)
    page = Image.new("L", (margin + columns * (SHOWN_PX + 4), len(rows) * (SHOWN_PX + 4)), 255)
    font = ImageFont.load_default(13)
    for number, (name, pictures) in enumerate(rows):
        top = number * (SHOWN_PX + 4)
        ImageDraw.Draw(page).text((6, top + SHOWN_PX // 2 - 8), name, fill=0, font=font)
        for place, picture in enumerate(pictures):
            page.paste(
                picture.resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS), (margin + place * (SHOWN_PX + 4), top)
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, quality=80, optimize=True)
    print(path)


def draw(token: str | None, *, seed: int, look: str = "film", spacing_mm: float = SPACING_MM) -> Image.Image:
    """A crop of 14 mm in which the kind can be seen; the first seed from `seed` on that shows it."""
    while True:
        crop = simulate_crop(
            (token,) if token else (),
            rng=np.random.default_rng(seed),
            size_px=round(SIDE_PX * SPACING_MM / spacing_mm),
            spacing_mm=spacing_mm,
            look=look,
        )
        if crop.tokens or not token:
            return grey(crop.pixels)
        seed += 1000


def kinds() -> None:
    rows = []
    for token in KINDS:
        film = [draw(token, seed=seed) for seed in range(4)]
        digital = [draw(token, seed=seed, look="digital") for seed in range(4, 6)]
        rows.append(
            (DISPLAY[token] if token else "normal tissue", [*film, *digital, draw(token, seed=6, spacing_mm=0.2)])
        )
    sheet(rows, HERE / "images" / "simulated-kinds.jpg")


def groups() -> None:
    """One crop a group for the start page, cut around its calcium so that a layman sees it."""
    height, width = 100, 150
    for group, token, distribution, seed in GROUP_PICTURES:
        crop = simulate_crop((token,), rng=np.random.default_rng(seed), size_px=240, distribution=distribution)
        middle = np.argwhere(crop.mask).mean(0)
        top, left = (
            int(np.clip(at - side / 2, 0, 240 - side)) for at, side in zip(middle, (height, width), strict=True)
        )
        picture = grey(crop.pixels[top : top + height, left : left + width])
        path = HERE.parent / "assets" / "groups" / f"{group}.jpg"
        path.parent.mkdir(exist_ok=True)
        picture.resize((3 * width, 3 * height), Image.Resampling.LANCZOS).save(path, quality=85, optimize=True)
        print(path)


def views() -> None:
    pictures = []
    for seed, (view, look) in enumerate((("CC", "film"), ("MLO", "film"), ("CC", "digital"), ("MLO", "digital"))):
        lesion = Lesion(("PLEOMORPHIC",), "CLUSTERED")
        shown = simulate_view([lesion], rng=np.random.default_rng(seed), view=view, look=look, spacing_mm=0.2)
        picture = grey(shown.pixels)
        pictures.append(picture.resize((picture.width * 420 // picture.height, 420)))
    page = Image.new("L", (sum(p.width + 4 for p in pictures), 420), 255)
    left = 0
    for picture in pictures:
        page.paste(picture, (left, 0))
        left += picture.width + 4
    page.save(HERE / "images" / "simulated-views.jpg", quality=80, optimize=True)
    print(HERE / "images" / "simulated-views.jpg")


def beside_real(folder: Path) -> None:
    """Patches of the real images found below `folder`, over simulated ones."""
    rows = []
    rng = np.random.default_rng(0)
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".dcm", ".png")):
        try:
            picture = read_image(file)
        except ImageError:
            continue
        pixels = resample(picture.pixels, picture.spacing_mm or FILM_SPACING_MM, SPACING_MM)
        patches: list[Image.Image] = []
        for _ in range(200):
            y, x = (int(rng.integers(max(n - SIDE_PX, 1))) for n in pixels.shape)
            patch = pixels[y : y + SIDE_PX, x : x + SIDE_PX]
            if len(patches) < 7 and (patch > 0.15).mean() > 0.9:
                patches.append(grey(patch))
        rows.append((f"real {kind_of_pixels(picture.pixels, spacing_mm=picture.spacing_mm)}", patches))
    rows += [
        (DISPLAY[token] if token else "simulated normal", [draw(token, seed=n) for n in range(7)])
        for token in (None, "PLEOMORPHIC", "AMORPHOUS")
    ]
    sheet(rows, HERE / "local" / "beside-real.jpg")


if __name__ == "__main__":
    kinds()
    groups()
    views()
    if os.environ.get("LEMONS_REAL_DATA"):
        beside_real(Path(os.environ["LEMONS_REAL_DATA"]))
