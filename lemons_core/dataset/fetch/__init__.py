"""Get the collection: the tables from its own address, images by SeriesInstanceUID from IDC or TCIA."""

from lemons_core.dataset.fetch.images import IDC_ADDRESS, TCIA_ADDRESS, fetch_images
from lemons_core.dataset.fetch.plan import (
    CONFIRM_ABOVE,
    IDC_PACKAGE,
    WHAT,
    Plan,
    leave_out_present,
    plan_case,
    plan_images,
    read_catalogue,
)
from lemons_core.dataset.fetch.tables import CSV_ADDRESS, CSV_NAMES, fetch_metadata, has_all_tables, tables_for_fetching

__all__ = [
    "CONFIRM_ABOVE", "CSV_ADDRESS", "CSV_NAMES", "IDC_ADDRESS", "IDC_PACKAGE", "TCIA_ADDRESS", "WHAT", "Plan",
    "fetch_images", "fetch_metadata", "has_all_tables", "leave_out_present", "plan_case", "plan_images",
    "read_catalogue", "tables_for_fetching",
]  # fmt: skip
