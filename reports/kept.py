"""The decisions on one run, joined once for all reports about it."""

from typing import TYPE_CHECKING

from curate import sql_files

if TYPE_CHECKING:
    import duckdb

KEPT = {"audit/kept_pairs": "audit/found", "audit/kept_probabilities": "audit/probabilities"}
"""The table with the rows of a view -> what the view is then."""


def keep(connection: "duckdb.DuckDBPyConnection", run: str, cutoffs: str) -> None:
    """Have the views `found` and `probabilities` on `connection` read tables with what reports on one run ask for.

    Over 20 M candidates, each report would otherwise join candidates and scores again. The views then have no rows
    of other runs and other cutoffs.
    """
    of = {"run": run, "cutoffs": cutoffs}
    for table, view in KEPT.items():
        sql_files.execute(connection, table, **of)
        sql_files.select(connection, view, **of).create_view(view.rpartition("/")[2], replace=True)
