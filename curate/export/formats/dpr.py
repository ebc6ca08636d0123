"""`dpr`: one JSON array with positive_ctxs and hard_negative_ctxs. One element per query."""

from curate.export.formats.part import Part


class Dpr:
    """The file of DPR's biencoder (Karpukhin et al., EMNLP 2020)."""

    name = "dpr"
    trainers = "DPR"
    needs_negatives = False  # without any, the other queries' passages are the negatives
    unit = "queries"
    loading = """\
```
python train_dense_encoder.py train_datasets=["{folder}/{file}"] ...
```
The file is one array, which DPR reads whole. `answers` and `negative_ctxs` are empty. Row n of the configuration
`provenance` belongs to element n."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the array and its provenance."""
        return [
            Part("data/train.json", "export/dpr", header="[\n", separator=",", footer="]\n", is_rows=True),
            Part("provenance/train.parquet", "export/labeled_list_provenance", config="provenance"),
        ]
