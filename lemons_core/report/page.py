"""The paper: fonts, head and foot of every page, and the few things that are put on it."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace
from fpdf.util import Padding

from lemons_core.base import config
from lemons_core.base.colours import LEMON
from lemons_core.report.pictures import encoded

MARGIN_MM = 16.0
WIDTH_MM = 210 - 2 * MARGIN_MM
INK, GREY, PALE, SUN, WARM = "#22262E", "#667085", "#E4E7EC", "#FFF8DC", "#D9A400"
_BOX = Padding(1.2, 2, 1.2, 3)


class Page(FPDF):
    """A4, upright. Lengths in mm."""

    def __init__(self, *, name: str, origin: str) -> None:
        """name : title of the document; origin : what the model was trained on, said on every page"""
        super().__init__(format="A4")
        self.name, self.origin = name, origin
        self.face = self._add_fonts()
        self.set_margin(MARGIN_MM)
        self.c_margin = 0  # text begins where pictures begin
        self.set_auto_page_break(True, margin=22)
        self.set_title(f"Calcifications in a mammogram: {name}")
        self.set_creator("Know Your Lemons")
        self.set_lang("en")
        self.add_page()

    def _add_fonts(self) -> str:
        # DejaVu knows Greek, Cyrillic and arrows. It comes with matplotlib, which pytorch-grad-cam brings; without it
        # the Latin-1 letters that every PDF reader has must do.
        spec = find_spec("matplotlib")
        if spec is None or spec.origin is None:
            return "helvetica"
        folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
        files = {"": folder / "DejaVuSans.ttf", "B": folder / "DejaVuSans-Bold.ttf"}
        if not all(file.is_file() for file in files.values()):
            return "helvetica"
        for style, file in files.items():
            self.add_font("DejaVu", style, file)
        return "DejaVu"

    def normalize_text(self, text: str) -> str:
        if not self.is_ttf_font:
            text = text.replace("–", "-").encode("latin-1", "replace").decode("latin-1")
        return str(super().normalize_text(text))

    def header(self) -> None:
        self.set_fill_color(LEMON)
        self.rect(0, 0, 210, 2.2, style="F")
        self.set_y(7.5)
        self.use("B", 8, GREY)
        self.cell(WIDTH_MM / 2, 4, "Know Your Lemons")
        self.use("", 8, GREY)
        self.cell(WIDTH_MM / 2, 4, self.name, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_y(MARGIN_MM)

    def footer(self) -> None:
        self.set_y(-17)
        self.set_draw_color(PALE)
        self.line(MARGIN_MM, self.get_y(), MARGIN_MM + WIDTH_MM, self.get_y())
        self.set_y(-15)
        self.use("B", 8, INK)
        self.cell(WIDTH_MM - 20, 4, config.NOTICE)
        self.use("", 8, GREY)
        self.cell(20, 4, f"page {self.page_no()} of {{nb}}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.use("", 7, GREY)
        self.cell(WIDTH_MM, 4, self.origin)

    def use(self, style: str, size: float, colour: str) -> None:
        """Font style ("" or "B"), size in points and colour of the text that follows."""
        self.set_font(self.face, style, size)
        self.set_text_color(colour)

    def heading(self, text: str, *, room: float = 30) -> None:
        """A heading that is never left alone at the foot of a page."""
        if self.will_page_break(room):
            self.add_page()
        self.ln(4)
        self.use("B", 11, INK)
        self.multi_cell(0, 6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)

    def paragraph(self, text: str, *, size: float = 8.5, colour: str = INK) -> None:
        self.use("", size, colour)
        self.multi_cell(0, size * 0.53, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)

    def note(self, text: str) -> None:
        """A warning in a box, whole on one page."""
        self.use("", 8.5, INK)
        self.set_fill_color(SUN)
        with self.offset_rendering() as trial:
            trial.multi_cell(0, 4.6, text, padding=_BOX)
        if trial.page_break_triggered:
            self.add_page()
        top = self.get_y()
        self.multi_cell(0, 4.6, text, fill=True, padding=_BOX, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_fill_color(WARM)
        self.rect(MARGIN_MM, top, 1, self.get_y() - top, style="F")
        self.ln(1.5)

    def picture(self, pixels: np.ndarray, x: float, y: float, width: float, height: float, *, text: str) -> float:
        """Put (H, W) or (H, W, 3) uint8 at the top left of a frame; returns mm a pixel.

        text : what is to be seen, for people who cannot see it
        """
        scale = min(width / pixels.shape[1], height / pixels.shape[0])
        self.image(encoded(pixels), x, y, pixels.shape[1] * scale, pixels.shape[0] * scale, alt_text=text)
        return scale

    def bar(self, x: float, y: float, width: float, label: str, value: float, colour: str) -> None:
        """One line: a label, a bar for a probability of 0-1, its value."""
        self.use("", 8, INK)
        self.set_xy(x, y)
        self.cell(26, 4, label)
        track = width - 26 - 11
        self.set_fill_color(PALE)
        self.rect(x + 26, y + 0.9, track, 2.2, style="F")
        self.set_fill_color(colour)
        self.rect(x + 26, y + 0.9, track * value, 2.2, style="F")
        self.set_xy(x + width - 11, y)
        self.cell(11, 4, f"{value:.0%}", align="R")

    def grid(self, rows: list[list[str]], *, widths: tuple[float, ...], left: int = 1) -> None:
        """A table; its first row is the head, `left` columns are aligned to the left, the others to the right."""
        self.use("", 8, INK)
        self.set_draw_color(PALE)
        self.set_fill_color(255)
        align = tuple("L" if column < left else "R" for column in range(len(rows[0])))
        head = FontFace(emphasis="BOLD", color=GREY)
        with self.table(
            borders_layout="HORIZONTAL_LINES", col_widths=widths, line_height=5, text_align=align,
            headings_style=head, padding=(0.4, 1), first_row_as_headings=len(rows) > 1,
        ) as table:  # fmt: skip
            for row in rows:
                table.row(row)
