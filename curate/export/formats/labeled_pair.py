"""`labeled-pair`: query, passage, label. One row per (query, passage)."""

from curate.export.formats.part import Part


class LabeledPair:
    """sentence-transformers' labelled pairs, the input of its pointwise cross-encoder losses."""

    name = "labeled-pair"
    trainers = "sentence-transformers (BinaryCrossEntropyLoss of a CrossEncoder, ContrastiveLoss)"
    needs_negatives = False
    unit = "queries"
    loading = """\
```python
from datasets import load_dataset

rows = load_dataset("{folder}", split="train")  # query, passage, label (1 or 0)
evidence = load_dataset("{folder}", "provenance", split="train")  # the same rows: ids, sources, probabilities
```"""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the rows and their provenance."""
        return [
            Part("data/train.parquet", "export/labeled_pair", config="default", is_rows=True),
            Part("provenance/train.parquet", "export/labeled_pair_provenance", config="provenance"),
        ]
