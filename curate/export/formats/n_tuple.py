"""`n-tuple`: query, positive, negative_1 ... negative_N. One row per (query, positive).

Trainers need a fixed number of columns. Rows with fewer negatives go into configurations of their own, one for
each width, so that no row is lost or padded.
"""

from typing import TYPE_CHECKING

from curate.export.formats.part import Part

if TYPE_CHECKING:
    import pyarrow as pa


class NTuple:
    """sentence-transformers' n-tuples. Its losses read the columns by their order."""

    name = "n-tuple"
    trainers = "sentence-transformers (MultipleNegativesRankingLoss and its cached forms)"
    needs_negatives = False
    unit = "queries"
    loading = """\
```python
from datasets import load_dataset

rows = load_dataset("{folder}", split="train")  # query, positive, negative_1, negative_2, ...
evidence = load_dataset("{folder}", "provenance", split="train")  # the same rows: ids, sources, probabilities
```"""

    def parts(self, negatives: int) -> list[Part]:
        """Return the rows and provenance of every width, the full width first."""
        return [part for width in range(negatives, -1, -1) for part in _of_width(width, negatives)]


def _of_width(width: int, full: int) -> list[Part]:
    rows, evidence = ("data", "provenance") if width == full else (f"negatives-{width}", f"provenance-{width}")
    return [
        Part(
            f"{rows}/train.parquet",
            "export/n_tuple",
            {"width": width},
            config="default" if width == full else rows,
            is_rows=True,
            shape=lambda table: _spread(table, width),
        ),
        Part(f"{evidence}/train.parquet", "export/n_tuple_provenance", {"width": width}, config=evidence),
    ]


def _spread(table: "pa.Table", width: int) -> "pa.Table":
    """Return the table with its column of lists split into `width` columns."""
    import pyarrow as pa
    import pyarrow.compute as pc

    negatives = [pc.list_element(table["negatives"], index) for index in range(width)]
    names = ["query", "positive", *(f"negative_{index + 1}" for index in range(width))]
    return pa.table([table["query"], table["positive"], *negatives], names=names)
