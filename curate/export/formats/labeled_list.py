"""`labeled-list`: query, passages, labels. One row per query, with all its positives."""

from curate.export.formats.part import Part


class LabeledList:
    """sentence-transformers' labelled lists of any length, the input of its listwise cross-encoder losses."""

    name = "labeled-list"
    trainers = "sentence-transformers CrossEncoder (ListNetLoss, ListMLELoss, LambdaLoss, RankNetLoss)"
    needs_negatives = False
    unit = "queries"
    loading = """\
```python
from datasets import load_dataset

rows = load_dataset("{folder}", split="train")  # query, passages (list), labels (list of 1 and 0)
evidence = load_dataset("{folder}", "provenance", split="train")  # the same rows: ids, sources, probabilities
```"""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the rows and their provenance."""
        return [
            Part("data/train.parquet", "export/labeled_list", config="default", is_rows=True),
            Part("provenance/train.parquet", "export/labeled_list_provenance", config="provenance"),
        ]
