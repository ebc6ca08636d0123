"""Every export format, read back by the loader that it is made for."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import curate
from curate import Workspace
from curate.export import blocks
from curate.export.formats import FORMATS
from curate.jobs import Job

datasets = pytest.importorskip("datasets")
DatasetCard = pytest.importorskip("huggingface_hub").DatasetCard

AWKWARD = 'tab\there, "quotes", a line\nbreak, a return\r, an emoji 🦆, a slash \\ and 東京'
PASSAGES = {
    'd"quoted"': "Seoul is the capital of South Korea.",
    "d1": AWKWARD,
    "d2": "Busan is a port.",
    "d3": "Daegu is hot.",
    "d4": "Incheon has an airport.",
}
QUERIES = {"q1": "capital of korea?\tsay", "q2": "which airport?", "q3": "who is it?"}
QRELS = [("q1", 'd"quoted"'), ("q2", "d4"), ("q3", "d4")]
# Safe negatives: two for q1, one for q2, none for q3.
SCORES = {"q1": {"d1": 0.01, "d2": 0.02, "d3": 0.5}, "q2": {"d3": 0.01, "d2": 0.95}, "q3": {"d2": 0.4}}


@pytest.fixture
def exported(make_workspace: Callable[..., Workspace]) -> Callable[..., Path]:
    """Return a function that exports the collection above and returns the folder."""
    candidates = {query: list(found) for query, found in SCORES.items()}
    workspace = make_workspace(PASSAGES, QUERIES, qrels=QRELS, candidates=candidates)
    _judge(workspace)

    def export(format: str, **options: Any) -> Path:  # noqa: A002
        return workspace.root / curate.export(workspace, format=format, **{"negatives": 2, **options}).path

    return export


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """Return `datasets.load_dataset` with its own cache."""

    def load(folder: Path, config: str = "default") -> Any:
        datasets.disable_progress_bars()
        return datasets.load_dataset(str(folder), config, split="train", cache_dir=str(tmp_path / "cache"))

    return load


def test_triplets_load_with_the_trainers_columns(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """The trainer requires the order query, positive, negative. Every text is exactly that of the workspace."""
    rows = load(exported("triplet"))
    assert rows.column_names == ["query", "positive", "negative"]
    assert {feature.dtype for feature in rows.features.values()} == {"string"}
    assert {tuple(row.values()) for row in rows} == {
        (QUERIES["q1"], PASSAGES['d"quoted"'], AWKWARD),
        (QUERIES["q1"], PASSAGES['d"quoted"'], PASSAGES["d2"]),
        (QUERIES["q2"], PASSAGES["d4"], PASSAGES["d3"]),
    }


@pytest.mark.parametrize("name", ["triplet", "n-tuple", "labeled-list"])
def test_provenance_is_aligned_with_the_rows(
    exported: Callable[..., Path], load: Callable[..., Any], name: str
) -> None:
    """Row n of the configuration `provenance` gives the sources of row n in the default configuration."""
    folder = exported(name)
    rows, evidence = load(folder), load(folder, "provenance")
    assert [row["query"] for row in rows] == [QUERIES[row["query_id"]] for row in evidence]
    if name == "triplet":
        assert [row["negative"] for row in rows] == [PASSAGES[row["negative_id"]] for row in evidence]
    if name == "labeled-list":
        known = [[PASSAGES[each["passage_id"]] for each in row["passages"]] for row in evidence]
        assert [row["passages"] for row in rows] == known


def test_n_tuples_of_every_width_load(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """Full rows are the default. Short rows have their own configurations, so none is lost or filled up."""
    folder = exported("n-tuple")
    full, one, none = load(folder), load(folder, "negatives-1"), load(folder, "negatives-0")
    assert full.column_names == ["query", "positive", "negative_1", "negative_2"]
    assert {full[0]["negative_1"], full[0]["negative_2"]} == {AWKWARD, PASSAGES["d2"]}
    assert one.to_list() == [{"query": QUERIES["q2"], "positive": PASSAGES["d4"], "negative_1": PASSAGES["d3"]}]
    assert none.to_list() == [{"query": QUERIES["q3"], "positive": PASSAGES["d4"]}]


def test_n_tuples_load_where_no_row_is_full(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """The widest existing rows become the default too, and the card says so."""
    folder = exported("n-tuple", negatives=5)
    assert load(folder).column_names == ["query", "positive", "negative_1", "negative_2"]
    assert load(folder, "provenance")[0]["query_id"] == "q1"
    card = (folder / "README.md").read_text("utf-8")
    assert "the default is `negatives-2`" in card
    assert "`negatives-1`, `negatives-0`" in card
    assert "negatives-3" not in card


def test_labelled_lists_load_with_their_labels(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """All positives come first, including promoted ones. The negatives follow."""
    rows = load(exported("labeled-list", promote=True))
    assert rows.column_names == ["query", "passages", "labels"]
    assert rows[1] == {
        "query": QUERIES["q2"],
        "passages": [PASSAGES["d4"], PASSAGES["d2"], PASSAGES["d3"]],
        "labels": [1, 1, 0],
    }


def test_tevatron_reads_exactly_its_keys(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """Its dataset class reads three keys per passage, and a list of negatives that must not be empty."""
    folder = exported("tevatron")
    rows = load(folder)
    for row in rows:
        assert list(row) == ["query_id", "query", "positive_passages", "negative_passages"]
        for passage in [*row["positive_passages"], *row["negative_passages"]]:
            assert list(passage) == ["docid", "title", "text"]
            assert passage["text"] == PASSAGES[passage["docid"]]
        assert row["negative_passages"]
    [rows_file] = (folder / "data").iterdir()
    assert f"--dataset_path exports/tevatron/data/{rows_file.name} " in (folder / "README.md").read_text("utf-8")
    evidence = load(folder, "provenance")
    assert [row["query_id"] for row in evidence] == [row["query_id"] for row in rows]
    probabilities = sorted(negative["probability"] for negative in evidence[0]["negatives"])
    assert probabilities == pytest.approx([0.01, 0.02])


def test_labelled_pairs_load_with_their_labels(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """A query without negatives has its positives all the same."""
    rows = load(exported("labeled-pair"))
    assert rows.column_names == ["query", "passage", "label"]
    pairs = [(row["query"], row["passage"], row["label"]) for row in rows]
    assert pairs[0] == (QUERIES["q1"], PASSAGES['d"quoted"'], 1)
    assert set(pairs[1:3]) == {(QUERIES["q1"], AWKWARD, 0), (QUERIES["q1"], PASSAGES["d2"], 0)}
    assert pairs[3:5] == [(QUERIES["q2"], PASSAGES["d4"], 1), (QUERIES["q2"], PASSAGES["d3"], 0)]
    assert pairs[5:] == [(QUERIES["q3"], PASSAGES["d4"], 1)]


def test_flagembedding_draws_its_groups(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """The rule of `AbsEmbedderTrainDataset.__getitem__` (FlagEmbedding 1.4.2), for groups of three.

    If there are too few negatives, it repeats them all, which fails for none.
    """
    rows = load(exported("flagembedding"))
    assert rows.column_names == ["query", "pos", "neg"]
    groups = {row["query"]: [row["pos"][0], *(row["neg"] * math.ceil(2 / len(row["neg"])))[:2]] for row in rows}
    assert groups == {
        QUERIES["q1"]: [PASSAGES['d"quoted"'], *rows[0]["neg"]],
        QUERIES["q2"]: [PASSAGES["d4"], PASSAGES["d3"], PASSAGES["d3"]],
    }
    assert set(rows[0]["neg"]) == {AWKWARD, PASSAGES["d2"]}


@pytest.mark.parametrize("size", [2, 1000], ids=["two queries a block", "all in one block"])
def test_dpr_reads_one_array(exported: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The rule of `JsonQADataset` (DPR, dpr/data/biencoder_data.py): rows without positives are dropped."""
    monkeypatch.setattr(blocks, "PASSAGES", size * 3)
    [path] = (exported("dpr") / "data").iterdir()
    rows = json.loads(path.read_text("utf-8"))
    assert [row["question"] for row in rows if row["positive_ctxs"]] == list(QUERIES.values())
    for row in rows:
        for passage in [*row["positive_ctxs"], *row["negative_ctxs"], *row["hard_negative_ctxs"]]:
            assert passage["text"] == PASSAGES[passage["passage_id"]]
            assert passage["title"] == ""
    assert [len(row["hard_negative_ctxs"]) for row in rows] == [2, 1, 0]


def _split(path: Path) -> list[list[str]]:
    """Read as RocketQA does (model/src/reader/reader_de.py, csv_reader): no header and no quotes."""
    with path.open(encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines]


PLAIN = 'tab here, "quotes", a line break, a return , an emoji 🦆, a slash \\ and 東京'


def test_rocketqas_dual_encoder_reads_six_columns(exported: Callable[..., Path]) -> None:
    """A missing title is `-`. What would break a line or a column is a space."""
    [path] = (exported("rocketqa-dual") / "data").iterdir()
    query = "capital of korea? say"
    assert sorted(_split(path)) == sorted([
        [query, "-", PASSAGES['d"quoted"'], "-", PLAIN, "0"],
        [query, "-", PASSAGES['d"quoted"'], "-", PASSAGES["d2"], "0"],
        [QUERIES["q2"], "-", PASSAGES["d4"], "-", PASSAGES["d3"], "0"],
    ])  # fmt: skip


def test_rocketqas_cross_encoder_reads_four_columns(exported: Callable[..., Path]) -> None:
    """A missing title is empty. Queries without negatives have their positives all the same."""
    [path] = (exported("rocketqa-cross") / "data").iterdir()
    query = "capital of korea? say"
    assert sorted(_split(path)) == sorted([
        [query, "", PASSAGES['d"quoted"'], "1"],
        [query, "", PLAIN, "0"],
        [query, "", PASSAGES["d2"], "0"],
        [QUERIES["q2"], "", PASSAGES["d4"], "1"],
        [QUERIES["q2"], "", PASSAGES["d3"], "0"],
        [QUERIES["q3"], "", PASSAGES["d4"], "1"],
    ])  # fmt: skip


def test_every_line_has_its_provenance(exported: Callable[..., Path], load: Callable[..., Any]) -> None:
    """Row n of the configuration `provenance` belongs to line n of the file."""
    [dual] = ((folder := exported("rocketqa-dual")) / "data").iterdir()
    evidence = load(folder, "provenance")
    assert [line[4] == PLAIN for line in _split(dual)] == [row["negative_id"] == "d1" for row in evidence]
    [cross] = ((folder := exported("rocketqa-cross")) / "data").iterdir()
    assert [int(line[3]) for line in _split(cross)] == [row["label"] for row in load(folder, "provenance")]


def test_beirs_loader_reads_the_folder(exported: Callable[..., Path]) -> None:
    """It gets collection, queries and qrels completely, with quoted ids and promoted positives."""
    from beir.datasets.data_loader import GenericDataLoader

    folder = exported("beir", promote=True)
    corpus, queries, qrels = GenericDataLoader(str(folder)).load(split="train")
    assert {name: passage["text"] for name, passage in corpus.items()} == PASSAGES
    assert queries == QUERIES
    assert qrels == {"q1": {'d"quoted"': 1}, "q2": {"d4": 1, "d2": 1}, "q3": {"d4": 1}}
    negatives = [json.loads(line) for line in (folder / "hard-negatives.jsonl").read_text("utf-8").splitlines()]
    assert {row["query_id"]: {n["passage_id"] for n in row["negatives"]} for row in negatives} == {
        "q1": {"d1", "d2"},
        "q2": {"d3"},
    }


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_cache_of_datasets_never_gives_the_rows_of_another_set(
    make_workspace: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`datasets` looks a folder up by its name and by what its card says, not by its content.

    Two workspaces have an export of one name, and the second one is then replaced. All are opened with the default
    cache, which they share. Each gives what its own files hold.
    """
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    candidates = {query: list(found) for query, found in SCORES.items()}
    for word in ("Korea", "Corea"):
        passages = {key: text.replace("Korea", word) for key, text in PASSAGES.items()}
        queries = {key: text.replace("korea", word) for key, text in QUERIES.items()}
        workspace = make_workspace(passages, queries, qrels=QRELS, candidates=candidates)
        _judge(workspace)
        exported = curate.export(workspace, format=name, name="set", negatives=2)
        (tmp_path / word).mkdir()
        folder = workspace.root.rename(tmp_path / word / "set") / exported.path
        assert _loaded(folder) == _held(folder)
    curate.export(Workspace(tmp_path / "Corea/set"), format=name, name="set", negatives=1, force=True)
    assert _loaded(folder) == _held(folder)


def _configs(folder: Path) -> list[tuple[str, str, str]]:
    """Return the configurations in the card: name, split and pattern of the files."""
    entries = DatasetCard.load(folder / "README.md").data.to_dict()["configs"]
    return [(e["config_name"], e["data_files"][0]["split"], e["data_files"][0]["path"]) for e in entries]


def _loaded(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every configuration as `datasets` gives them."""
    return {
        config: datasets.load_dataset(str(folder), config, split=split).to_list()
        for config, split, _ in _configs(folder)
    }


def _held(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every configuration as its files hold them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for config, _, pattern in _configs(folder):
        [path] = folder.glob(pattern)
        lines = path.suffix == ".jsonl"
        found[config] = (
            [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
            if lines
            else pq.read_table(path).to_pylist()
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "columns"), [("triplet", 3), ("n-tuple", 4)])
def test_a_dual_encoder_takes_a_training_step(
    exported: Callable[..., Path],
    load: Callable[..., Any],
    tiny_cross_encoder: Callable[..., Path],
    name: str,
    columns: int,
) -> None:
    """The collator and the loss of sentence-transformers read the rows without any conversion."""
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(str(tiny_cross_encoder()), device="cpu")
    batch = SentenceTransformerDataCollator(model.preprocess)(load(exported(name)).to_list())
    features, labels = SentenceTransformerTrainer.collect_features(None, batch)
    assert (len(features), labels) == (columns, None)
    MultipleNegativesRankingLoss(model)(features, labels).backward()
    assert any(weight.grad is not None for weight in model.parameters())


@pytest.mark.slow
def test_a_cross_encoder_takes_a_training_step(
    exported: Callable[..., Path], load: Callable[..., Any], tiny_cross_encoder: Callable[..., Path]
) -> None:
    """The listwise losses of sentence-transformers read lists of different lengths."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.data_collator import CrossEncoderDataCollator
    from sentence_transformers.cross_encoder.losses import ListNetLoss

    model = CrossEncoder(str(tiny_cross_encoder()), device="cpu")
    batch = CrossEncoderDataCollator(model.preprocess)(load(exported("labeled-list")).to_list())
    labels = batch.pop("label")
    assert sorted(len(row) for row in labels) == [1, 2, 3]
    ListNetLoss(model)(list(batch.values()), labels).backward()
    assert any(weight.grad is not None for weight in model.parameters())


def _judge(workspace: Workspace) -> None:
    """Write the ledger and the cutoffs 0.1 and 0.9."""
    job = Job(workspace, "denoise", "denoise-1")
    scores = [
        {
            "scorer_id": "judge",
            "query_key": list(QUERIES).index(query),
            "passage_key": list(PASSAGES).index(passage),
            "logit": math.log(probability / (1 - probability)),
        }
        for query, found in SCORES.items()
        for passage, probability in found.items()
    ]
    values = {
        "scorer_id": "judge",
        "depth": 50,
        "negative_below": 0.1,
        "positive_above": 0.9,
        "duplicate_above": 1.0,
    }
    cutoffs = {"name": "default", "revision": 1, "pseudo_positives": "best", **values}
    for table, rows in (("scores", scores), ("cutoffs", [cutoffs])):
        job.write_rows(table, rows)
    job.finish()
