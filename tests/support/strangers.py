"""Pictures that are no mammograms, of many kinds: what people upload by mistake. (H, W) or (H, W, 3) uint8 each."""

from collections.abc import Iterator

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from lemons_core.simulate.view import simulate_view

Stranger = tuple[str, str, np.ndarray]  # kind, name, picture

COLOUR_PHOTOS = ("astronaut", "cat", "coffee", "retina", "rocket", "immunohistochemistry", "hubble_deep_field")
GREY_PHOTOS = ("camera", "coins", "brick", "grass", "gravel", "page", "text", "clock")


def strangers() -> Iterator[Stranger]:
    """Every picture, in a fixed order; the same bytes at each call."""
    for name in COLOUR_PHOTOS:
        yield "colour photo", name, getattr(skimage.data, name)()
    for name in GREY_PHOTOS:
        yield "grey photo", name, getattr(skimage.data, name)()
    for name in ("astronaut", "cat", "coffee", "rocket"):
        yield "grey photo", f"{name} in grey", np.asarray(Image.fromarray(getattr(skimage.data, name)()).convert("L"))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        yield "document", f"document {seed}", document(rng)
        yield "chart", f"chart {seed}", chart(rng)
        yield "screenshot", f"screenshot {seed}", screenshot(rng, dark=seed % 2 == 0)
        yield "chest X-ray", f"chest {seed}", chest(rng)
    for seed, (slope, size) in enumerate(((0, 256), (0, 1024), (1, 512), (2, 512))):
        yield "noise", f"noise of slope {slope}, {size} px", noise(np.random.default_rng(seed), slope, size)
    y, x = np.mgrid[0:600, 0:400] / 600
    yield "gradient", "from left to right", as_bytes(x * 1.5)
    yield "gradient", "from corner to corner", as_bytes((x + y) / 1.7)
    yield "gradient", "around a point", as_bytes(1 - np.hypot(x - 0.3, y - 0.5))
    yield "pattern", "checkerboard", as_bytes((x * 24 // 1 + y * 24 // 1) % 2)
    yield "pattern", "stripes", as_bytes(0.5 + 0.5 * np.sin(80 * (x + y)))
    yield "pattern", "test card", as_bytes((x * 12 // 1) / 8)
    for value in (0, 128, 255):
        yield "blank", f"all {value}", np.full((800, 600), value, np.uint8)
    for seed in range(4):
        shot = {"look": ("film", "digital")[seed % 2], "view": ("CC", "MLO")[seed // 2], "laterality": "LR"[seed % 2]}
        pixels = simulate_view([], rng=np.random.default_rng(seed), spacing_mm=0.2, **shot).pixels
        yield "inverted", f"inverted {shot['look']} {shot['view']}", as_bytes(1 - pixels)


def as_bytes(grey: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)


def document(rng: np.random.Generator) -> np.ndarray:
    """A typed page, as a scanner or a camera gives it."""
    page = Image.new("L", (850, 1100), int(rng.integers(225, 256)))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=int(rng.integers(14, 24)))
    for row in range(80, 1000, int(rng.integers(28, 44))):
        words = ["".join(rng.choice(list("abcdefghij"), rng.integers(2, 10))) for _ in range(rng.integers(3, 11))]
        draw.text((70, row), " ".join(words), fill=int(rng.integers(0, 60)), font=font)
    y, x = np.mgrid[0:1100, 0:850]
    light = 1 - rng.uniform(0, 0.25) * (x / 850) * (y / 1100)  # a photographed page is darker in a corner
    return as_bytes(np.asarray(page) / 255 * light + rng.normal(0, 0.01, (1100, 850)))


def chart(rng: np.random.Generator) -> np.ndarray:
    """Bars, a curve or a pie, on white or on black."""
    dark = bool(rng.integers(2))
    back, front = (10, 230) if dark else (255, 20)
    image = Image.new("L", (900, 600), back)
    draw = ImageDraw.Draw(image)
    draw.line([(80, 40), (80, 540), (860, 540)], fill=front, width=3)
    for k in range(8):
        draw.text((90 + 95 * k, 550), f"Q{k}", fill=front)
    kind = rng.integers(3)
    if kind == 0:
        for k, height in enumerate(rng.uniform(50, 480, 8)):
            draw.rectangle([100 + 95 * k, 540 - height, 160 + 95 * k, 538], fill=int(rng.integers(70, 200)))
    elif kind == 1:
        walk = 300 + np.cumsum(rng.normal(0, 12, 390))
        draw.line([(82 + 2 * k, float(v)) for k, v in enumerate(walk)], fill=front, width=2)
    else:
        for start, end in zip((0, 100, 190, 300), (100, 190, 300, 360), strict=True):
            draw.pieslice([270, 80, 670, 480], start, end, fill=int(rng.integers(60, 220)))
    return np.asarray(image)


def screenshot(rng: np.random.Generator, *, dark: bool) -> np.ndarray:
    """A window with a menu, a list and panels, light or dark."""
    back, panel, ink = (28, 50, 220) if dark else (246, 225, 30)
    image = Image.new("L", (1280, 800), back)
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, 1280, 48], fill=panel)
    draw.rectangle([0, 48, 240, 800], fill=panel)
    for k in range(16):
        draw.text((20, 70 + 44 * k), f"Entry {rng.integers(1000)}", fill=ink)
    for k in range(6):
        left, top = 280 + 330 * (k % 3), 90 + 350 * (k // 3)
        draw.rectangle([left, top, left + 300, top + 310], outline=ink, fill=int(rng.integers(90, 190)))
        draw.text((left + 20, top + 20), f"Panel {k}: {rng.integers(10**6)}", fill=ink)
    return np.asarray(image)


def chest(rng: np.random.Generator) -> np.ndarray:
    """A frontal chest: two dark lungs with ribs between a bright spine, shoulders and diaphragm."""
    y, x = np.mgrid[0:1000, 0:900] / 1000
    image = np.full(x.shape, rng.uniform(0.55, 0.75))
    image -= 0.7 * np.clip((np.abs(x - 0.45) - 0.4 + 0.25 * (0.25 - y).clip(0)) / 0.05, 0, 1)  # air beside the body
    depth = rng.uniform(0.3, 0.45)
    for middle, wide in ((0.27, 0.12), (0.63, 0.13)):
        lung = np.hypot((x - middle - rng.normal(0, 0.01)) / wide, (y - 0.47) / rng.uniform(0.3, 0.34))
        image -= depth / (1 + np.exp((lung - 1) * 25))
    for rib in np.arange(0.15, 0.8, 0.07):
        arch = y - rib - 0.25 * np.abs(x - 0.45) + 0.3 * (x - 0.45) ** 2
        image += 0.06 * np.exp(-((arch / 0.012) ** 2)) * (np.abs(x - 0.45) < 0.36)
    image += 0.12 * np.exp(-(((x - 0.45) / 0.04) ** 2))
    heart = np.hypot((x - 0.5) / 0.14, (y - 0.62) / 0.14)
    image += 0.3 / (1 + np.exp((heart - 1) * 18))
    grain = ndimage.gaussian_filter(rng.normal(0, 1, x.shape), 1.0)
    return as_bytes(image + 0.02 * grain / grain.std())


def noise(rng: np.random.Generator, slope: float, size: int) -> np.ndarray:
    """Noise whose power falls with frequency to the given slope: 0 is white, 1 is pink."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij"))
    frequency[0, 0] = 1
    waves = np.fft.rfft2(rng.normal(size=(size, size))) * frequency ** (-slope / 2)
    waves[0, 0] = 0
    grey = np.fft.irfft2(waves, s=(size, size))
    return as_bytes(0.5 + grey / grey.std() / 6)
