"""`triplet`: query, positive, negative. One row per (query, positive, negative)."""

from curate.export.formats.part import Part


class Triplet:
    """sentence-transformers' triplets. Its losses read the columns by their order."""

    name = "triplet"
    trainers = "sentence-transformers (MultipleNegativesRankingLoss, TripletLoss), PyLate"
    needs_negatives = True
    unit = "queries"
    loading = """\
```python
from datasets import load_dataset

rows = load_dataset("{folder}", split="train")  # query, positive, negative
evidence = load_dataset("{folder}", "provenance", split="train")  # the same rows: ids, sources, probabilities
```"""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the rows and their provenance."""
        return [
            Part("data/train.parquet", "export/triplet", config="default", is_rows=True),
            Part("provenance/train.parquet", "export/triplet_provenance", config="provenance"),
        ]
