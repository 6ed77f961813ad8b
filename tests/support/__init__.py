"""What several tests share: rows, layouts, pages, reports, a browser."""
