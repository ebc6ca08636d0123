"""`flagembedding`: JSON lines with query, pos and neg. One line per query."""

from curate.export.formats.part import Part


class FlagEmbedding:
    """The lines that FlagEmbedding reads for embedders and for rerankers. Both have the same keys."""

    name = "flagembedding"
    trainers = "FlagEmbedding (embedder and reranker)"
    needs_negatives = True  # its reader repeats `neg` until there are enough: a division by zero if it is empty
    unit = "queries"
    loading = """\
```
python -m FlagEmbedding.finetune.embedder.encoder_only.base --train_data {folder}/{file} ...
python -m FlagEmbedding.finetune.reranker.encoder_only.base --train_data {folder}/{file} ...
```
Line n of the configuration `provenance` says where line n of the set comes from. If a query has fewer negatives
than `--train_group_size` minus 1, FlagEmbedding repeats some of them."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the lines and their provenance."""
        return [
            Part("data/train.jsonl", "export/flagembedding", config="default", is_rows=True),
            Part("provenance.jsonl", "export/evidence", config="provenance"),
        ]
