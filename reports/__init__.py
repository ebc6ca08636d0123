"""Reports: the rows of the queries in sql/reports, shown in a terminal or as JSON."""
