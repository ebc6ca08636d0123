"""`tevatron`: JSON lines with positive_passages and negative_passages. One line per query."""

from curate.export.formats.part import Part


class Tevatron:
    """Tevatron's own key set and nothing else; what it must not read stands outside the folder `data`."""

    name = "tevatron"
    trainers = "Tevatron (and trove, rlhn: the same lines)"
    needs_negatives = True  # its reader draws with replacement and fails on an empty list
    unit = "queries"
    loading = """\
```
tevatron.retriever.driver.train --dataset_name json --dataset_path {folder}/data/train.jsonl ...
```
Title and text are separate; Tevatron joins them by a space. Line n of `provenance.jsonl` tells where line n of
`data/train.jsonl` comes from. A query with fewer negatives than `--train_group_size` less 1 is filled up by
Tevatron itself, by repeating its own."""

    def parts(self, negatives: int) -> list[Part]:  # noqa: ARG002
        """Return the lines and their provenance."""
        return [
            Part("data/train.jsonl", "export/tevatron", config="default", is_rows=True),
            Part("provenance.jsonl", "export/evidence", config="provenance"),
        ]
