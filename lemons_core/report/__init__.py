"""What one takes away: a report to print, tables and JSON, and files for a picture archive (DICOM).

Nothing that could name a patient is in any of them: of a file's header only the harmless facts that a Picture keeps.
"""

from lemons_core.report.pdf import report_pdf
from lemons_core.report.tables import regions_csv, result_json

__all__ = ["regions_csv", "report_pdf", "result_json"]
