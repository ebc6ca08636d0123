"""`beir`: the whole collection, the queries, their qrels, and the hard negatives beside them."""

from curate.export.formats.part import Part


class Beir:
    """A BEIR folder whose split `train` holds the curated positives: qrels, one row per (query, positive)."""

    name = "beir"
    trainers = "beir, GPL, MTEB and everything else that reads BEIR folders; `curate load`"
    needs_negatives = False
    unit = "queries and passages"
    loading = """\
```python
from beir.datasets.data_loader import GenericDataLoader

corpus, queries, qrels = GenericDataLoader("{folder}").load(split="train")
```
`hard-negatives.jsonl` has a line for every query with negatives: `query_id`, `positives` and `negatives` with
ids, sources and probabilities."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return qrels, queries, hard negatives and the collection."""
        return [
            Part("qrels/train.tsv", "export/beir_qrels", header="query-id\tcorpus-id\tscore\n", is_rows=True),
            Part("queries.jsonl", "export/beir_queries"),
            Part("hard-negatives.jsonl", "export/evidence"),
            Part("corpus.jsonl", "export/beir_corpus", over="passages"),
        ]
