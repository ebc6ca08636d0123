"""Reports: rows of sql/reports, shown in a terminal or as JSON."""
