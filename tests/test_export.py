"""The queries, positives and negatives in a training set. Exports are complete, repeatable and resumable."""

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import curate
from curate import BadSettings, Workspace, sql_files
from curate.cutoffs import set_cutoffs
from curate.errors import CurateError
from curate.export import blocks, folder
from curate.export.stage import plan_export
from curate.jobs import Job
from curate.shards import publish

AWKWARD = 'tab\there, "quotes", a line\nbreak, an emoji 🦆, a slash \\ and 東京'

# passage -> (title, text). p1 and p2 differ only in case.
PASSAGES = {
    "p0": ("Seoul", "Seoul is the capital of South Korea."),
    "p1": ("", "Busan is a port."),
    "p2": ("", "BUSAN is a port"),
    "p3": ("", AWKWARD),
    "p4": ("", "Daegu is hot in summer."),
    "p5": ("", "Gwangju has a biennale."),
    "p6": ("", "The capital has ten million people."),
    "p7": ("", "Incheon has an airport."),
}
QUERIES = {
    "q-train": ("capital of korea?", "train"),
    "q-short": ("where is the airport?", "train"),
    "q-none": ("who lives there?", "train"),
    "q-dev": ("which port?", "dev"),
    "q-test": ("which summer?", "test"),
    "q-copy": ("Which SUMMER", "train"),  # the same text as q-test
    "u-sure": ("biennale where?", "unlabeled"),
    "u-unsure": ("what about it?", "unlabeled"),
}
QRELS = {
    "q-train": ["p0"],
    "q-short": ["p7"],
    "q-none": ["p6"],
    "q-dev": ["p1"],
    "q-test": ["p4"],
    "q-copy": ["p4"],
}
# run -> query -> passage with its probability (None: not scored), in the order of the ranks
RUNS: dict[str, dict[str, list[tuple[str, float | None]]]] = {
    "bm25-train": {
        "q-train": [("p6", 0.95), ("p0", 0.99), ("p1", 0.05), ("p2", 0.05), ("p3", 0.01), ("p4", 0.02)],
        "q-short": [("p4", 0.5), ("p5", 0.03), ("p1", None)],
        "q-none": [("p1", 0.5)],
        "q-copy": [("p5", 0.01)],
    },
    "bm25-unlabeled": {"u-sure": [("p5", 0.97), ("p6", 0.92), ("p7", 0.01)], "u-unsure": [("p1", 0.4)]},
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a mined and scored workspace with two runs and with every decision among their candidates."""
    made = Workspace.create(tmp_path / "set")
    texts = {text: number for number, text in enumerate(dict.fromkeys(map(_plain, _all_texts())))}
    load = Job(made, "load", "load-00001")
    _write(load, "passages", [
        {"passage_key": key, "passage_id": name, "title": title, "text": text, "text_hash": texts[_plain(text)]}
        for key, (name, (title, text)) in enumerate(PASSAGES.items())
    ])  # fmt: skip
    _write(load, "queries", [
        {"query_key": key, "query_id": name, "text": text, "text_hash": texts[_plain(text)],
         "split": "unlabeled" if split == "unlabeled" else None}
        for key, (name, (text, split)) in enumerate(QUERIES.items())
    ])  # fmt: skip
    _write(load, "qrels", [
        {"query_key": _query(name), "passage_key": _passage(passage), "relevance": 1,
         "split": QUERIES[name][1], "source": "qrels.tsv"}
        for name, passages in QRELS.items() for passage in passages
    ])  # fmt: skip
    load.finish()
    for number, (run, found) in enumerate(RUNS.items(), 1):
        _mine(made, run, number, found)
    _denoise(made)
    return made


def test_only_labelled_train_and_pseudo_labelled_queries_are_exported(workspace: Workspace) -> None:
    """Dev and test queries are left out, and queries with the same text.

    So are unlabeled queries without a pseudo-label.
    """
    curate.export(workspace, format="beir")
    assert set(_lines(workspace, "beir/queries.jsonl", "_id")) == {"q-train", "q-short", "q-none", "u-sure"}


def test_negatives_are_safe_ones_only(workspace: Workspace) -> None:
    """Uncertain, unscored, relevant and duplicate passages are not negatives. Of equal texts one is drawn."""
    curate.export(workspace, format="triplet", negatives=9)
    drawn: dict[str, set[str]] = {}
    for row in _rows(workspace, "triplet", "provenance"):
        drawn.setdefault(row["query_id"], set()).add(row["negative_id"])
    assert drawn["q-train"] in ({"p1", "p3", "p4"}, {"p2", "p3", "p4"})
    assert drawn["q-short"] == {"p5"}
    assert drawn["u-sure"] == {"p7"}
    assert "q-none" not in drawn


def test_a_row_with_too_few_negatives_stays_short_and_is_counted(workspace: Workspace) -> None:
    """Nothing fills it. One negative makes one row, and without negatives there is no row."""
    done = curate.export(workspace, format="triplet", negatives=2)
    assert done.rows == 2 + 1 + 1
    assert (done.figures["queries_short"], done.figures["queries_without_negatives"]) == (2, 1)
    assert done.figures["queries_left_out"] == 1
    assert "1 has none and is left out" in done.text()
    assert "4 rows (triplet) from 3 queries" in done.text()


def test_false_negatives_are_dropped_or_promoted(workspace: Workspace) -> None:
    """With `promote` they are positives and marked as such. They are never negatives."""
    curate.export(workspace, format="triplet", name="dropped")
    curate.export(workspace, format="triplet", name="promoted", promote=True)
    dropped = {(r["positive_id"], r["positive_source"]) for r in _rows(workspace, "dropped", "provenance")}
    promoted = {(r["positive_id"], r["positive_source"]) for r in _rows(workspace, "promoted", "provenance")}
    assert promoted - dropped == {("p6", "promoted")}
    assert dropped == {("p0", "qrels"), ("p7", "qrels"), ("p5", "pseudo")}


def test_pseudo_labelled_queries_can_be_left_out(workspace: Workspace) -> None:
    """Without `augmented`, neither these queries nor their run are part of the set."""
    done = curate.export(workspace, format="beir", augmented=False)
    assert "u-sure" not in _lines(workspace, "beir/queries.jsonl", "_id")
    assert done.figures["queries"] == 3


def test_every_negative_says_who_found_it_and_how_probable_it_is(workspace: Workspace) -> None:
    """The source is the retriever's run, with the rank in that run."""
    curate.export(workspace, format="triplet")
    row = next(r for r in _rows(workspace, "triplet", "provenance") if r["negative_id"] == "p3")
    assert row["negative_source"] == [{"run_id": "bm25-train", "retriever": "bm25", "rank": 5}]
    assert row["negative_probability"] == pytest.approx(0.01)
    assert row["positive_probability"] == pytest.approx(0.99)


def test_a_hybrid_runs_negatives_name_the_runs_that_it_unites(workspace: Workspace) -> None:
    """Both retrievers are named, each with its own rank."""
    _mine(workspace, "dense-train", 3, {"q-short": [("p5", None)]}, retriever="dense")
    both: dict[str, list[tuple[str, float | None]]] = {"q-short": [("p5", None)]}
    _mine(workspace, "hybrid-train", 4, both, retriever="hybrid", sources=["bm25-train", "dense-train"])
    curate.export(workspace, format="triplet", augmented=False)
    row = next(r for r in _rows(workspace, "triplet", "provenance") if r["query_id"] == "q-short")
    assert row["negative_source"] == [
        {"run_id": "bm25-train", "retriever": "bm25", "rank": 2},
        {"run_id": "dense-train", "retriever": "dense", "rank": 1},
    ]


def test_ranks_beyond_the_depth_that_is_judged_stay_out(workspace: Workspace) -> None:
    """The cutoffs' depth applies even if deeper candidates happen to have scores."""
    _cutoffs(workspace, "shallow", depth=3)
    curate.export(workspace, format="triplet", cutoffs="shallow", negatives=9)
    negatives = {r["negative_id"] for r in _rows(workspace, "triplet", "provenance") if r["query_id"] == "q-train"}
    assert negatives == {"p1"}


def test_people_outrank_the_scorer(workspace: Workspace) -> None:
    """A passage that people judge relevant is a positive with the source `annotation`, even with a low score."""
    judged = {"query_key": _query("q-train"), "passage_key": _passage("p3"), "relevant": True, "annotator": "ann"}
    job = Job(workspace, "annotate", "annotate-1")
    _write(job, "annotations", [judged])
    job.finish()
    curate.export(workspace, format="triplet", negatives=9)
    rows = [r for r in _rows(workspace, "triplet", "provenance") if r["query_id"] == "q-train"]
    assert {r["positive_id"]: r["positive_source"] for r in rows} == {"p0": "qrels", "p3": "annotation"}
    assert "p3" not in {r["negative_id"] for r in rows}


def test_the_same_settings_give_the_same_bytes_and_another_seed_other_negatives(workspace: Workspace) -> None:
    """Draws are hashes of the seed and the ids, and depend on nothing else."""
    for name, seed in (("one", 0), ("two", 0), *((f"seed-{seed}", seed) for seed in range(1, 8))):
        curate.export(workspace, format="triplet", name=name, negatives=1, seed=seed)
    assert _data(workspace, "one") == _data(workspace, "two")
    drawn = [_rows(workspace, f"seed-{seed}", "provenance") for seed in range(1, 8)]
    assert {tuple(row["query_id"] for row in rows) for rows in drawn} == {("q-train", "q-short", "u-sure")}
    assert {rows[0]["negative_id"] for rows in drawn} > {"p3", "p4"}


def test_blocks_do_not_change_the_rows(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks divide the work, but do not affect the result."""
    curate.export(workspace, format="tevatron", name="one-block")
    monkeypatch.setattr(blocks, "PASSAGES", 5)
    curate.export(workspace, format="tevatron", name="many-blocks")
    assert _data(workspace, "one-block") == _data(workspace, "many-blocks")


@pytest.mark.parametrize("name", ["triplet", "n-tuple", "labeled-list", "tevatron", "beir"])
def test_an_interrupted_export_goes_on_to_the_same_bytes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A kill loses only the current file. Under the export's name there is either a complete folder or none."""
    monkeypatch.setattr(blocks, "PASSAGES", 5)
    curate.export(workspace, format=name)
    whole = _digests(workspace, name)
    shutil.rmtree(workspace.root / "exports")
    for stop in range(1, 40, 4):
        seen = [0]

        def killed(*work: Any, seen: list[int] = seen, stop: int = stop) -> Any:
            seen[0] += 1
            if seen[0] >= stop:
                raise KeyboardInterrupt
            return publish(*work)

        monkeypatch.setattr(blocks, "publish", killed)
        monkeypatch.setattr(folder, "publish", killed)
        try:
            curate.export(workspace, format=name)
        except KeyboardInterrupt:
            assert not (workspace.root / "exports" / name).exists()
    monkeypatch.undo()
    monkeypatch.setattr(blocks, "PASSAGES", 5)
    curate.export(workspace, format=name)
    assert _digests(workspace, name) == whole


def test_an_export_by_other_rules_is_another_set(workspace: Workspace) -> None:
    """One that 0.1 wrote from the same tables with the same settings holds other rows."""
    curate.export(workspace, format="triplet")
    path = workspace.root / "exports/triplet/manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    del manifest["settings"]["training_set"]
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BadSettings, match="it differs in: training_set"):
        curate.export(workspace, format="triplet")


def test_an_export_that_stands_is_not_written_again(workspace: Workspace) -> None:
    """With the same settings, tables and name, the command says so and changes nothing."""
    curate.export(workspace, format="triplet")
    before = (workspace.root / "exports/triplet/manifest.json").stat().st_mtime_ns
    again = curate.export(workspace, format="triplet")
    assert again.already
    assert "already exists" in again.text()
    assert (workspace.root / "exports/triplet/manifest.json").stat().st_mtime_ns == before


def test_another_set_of_the_same_name_is_replaced_only_by_force(workspace: Workspace) -> None:
    """Someone may be training on it. The error says in what the two sets differ."""
    curate.export(workspace, format="triplet")
    with pytest.raises(BadSettings, match=r"differs in: negatives.*--force"):
        curate.export(workspace, format="triplet", negatives=1)
    assert curate.export(workspace, format="triplet", negatives=1, force=True).rows == 3


@pytest.mark.parametrize(
    "manifest", ['{"files": {}}', "[]", "no JSON", '{"settings": 1, "inputs": 2, "files": 3}']
)
def test_a_foreign_folder_is_another_set(workspace: Workspace, manifest: str) -> None:
    """A folder that curate did not write is left alone."""
    foreign = workspace.root / "exports/triplet/manifest.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(manifest, "utf-8")
    with pytest.raises(BadSettings, match="is no export of curate"):
        curate.export(workspace, format="triplet")
    assert foreign.read_text("utf-8") == manifest


def test_force_replaces_nothing_that_curate_did_not_write(workspace: Workspace) -> None:
    """A folder without curate's manifest stays, a link too, and so does an export in which someone keeps files."""
    exports = workspace.root / "exports"
    (exports / "mine").mkdir(parents=True)
    (exports / "mine/notes.txt").write_text("mine", "utf-8")
    curate.export(workspace, format="triplet")
    (exports / "triplet/model.bin").write_text("trained on it", "utf-8")
    (exports / "link").symlink_to(exports / "triplet")
    for name, told in (
        ("mine", "is no export of curate"),
        ("triplet", "also holds files that curate did not write: model.bin. They would be lost"),
        ("link", "is a symbolic link"),
    ):
        with pytest.raises(BadSettings, match=told):
            curate.export(workspace, format="triplet", name=name, negatives=1, force=True)
        with pytest.raises(BadSettings, match=told):
            plan_export(workspace, format="triplet", name=name, negatives=1, force=True)
    assert (exports / "mine/notes.txt").read_text("utf-8") == "mine"
    assert (exports / "triplet/model.bin").read_text("utf-8") == "trained on it"
    assert curate.export(workspace, format="triplet").already


def test_a_damaged_export_is_made_again(workspace: Workspace) -> None:
    """An export is intact only if every file has the sha256 in the manifest."""
    curate.export(workspace, format="tevatron")
    whole = _digests(workspace, "tevatron")
    [rows] = (workspace.root / "exports/tevatron/data").iterdir()
    rows.write_text("broken", "utf-8")
    assert not curate.export(workspace, format="tevatron").already
    assert _digests(workspace, "tevatron") == whole


def test_the_folder_holds_what_the_manifest_names_and_nothing_else(workspace: Workspace) -> None:
    """The card and the manifest are beside the data, and temporary files are gone."""
    curate.export(workspace, format="beir")
    manifest = json.loads((workspace.root / "exports/beir/manifest.json").read_text("utf-8"))
    assert set(_digests(workspace, "beir")) == {*manifest["files"], "README.md", "manifest.json"}
    assert manifest["settings"]["cutoffs"]["scorer_fingerprint"] == "f" * 64
    assert [run["run_id"] for run in manifest["runs"]] == ["bm25-train", "bm25-unlabeled"]
    assert [path.name for path in (workspace.root / "exports").iterdir()] == ["beir"]


def test_the_card_shows_the_audits_figures(workspace: Workspace) -> None:
    """The figures on the candidates' outcomes come from SQL."""
    curate.export(workspace, format="labeled-list")
    card = (workspace.root / "exports/labeled-list/README.md").read_text("utf-8")
    for line in (
        "| queries with a positive | 4 |",
        "| queries left out, because dev or test contains the same query | 1 |",
        "| candidates in the runs' top-k | 15 |",
        "| - false negatives (probability above the upper cutoff) | 1 |",
        "| - uncertain (probability between the cutoffs) | 3 |",
        "| - unscored (nobody knows whether they are relevant, so they are never negatives) | 1 |",
    ):
        assert line in card


def _made(workspace: Workspace, name: str) -> str:
    """Return what the card says about false negatives and pseudo-labels, without line breaks."""
    card = (workspace.root / "exports" / name / "README.md").read_text("utf-8")
    return " ".join(card.partition("## How it was made")[2].partition("## Figures")[0].split())


def test_the_card_says_only_what_is_so(workspace: Workspace) -> None:
    """Pseudo-labels, false negatives and limits are told as they are in this set, not as they might be."""
    curate.export(workspace, name="usual")
    usual = _made(workspace, "usual")
    assert "- 1 of the queries had no label, and are included with a pseudo-label." in usual
    assert "- 1 candidate is a false negative: dropped, and never a negative." in usual
    assert "- Positives: all of each query." in usual
    curate.export(workspace, name="promoted", promote=True, augmented=False, positives=1)
    promoted = _made(workspace, "promoted")
    assert "Unlabeled queries are not included, whether they have a pseudo-label or not" in promoted
    assert "- 1 candidate is a false negative: an extra positive." in promoted
    assert "- Positives: up to 1 per query, those of people first" in promoted
    values = {
        "scorer_id": "judge",
        "depth": 50,
        "negative_below": 0.1,
        "positive_above": 0.99,
        "duplicate_above": 1.0,
    }
    job = Job(workspace, "cutoffs", "cutoffs-strict")
    _write(job, "cutoffs", [{"name": "strict", "revision": 1, "pseudo_positives": "best", **values}])
    job.finish()
    curate.export(workspace, name="strict", cutoffs="strict")
    assert "None of the 2 unlabeled queries that were mined got a pseudo-label, so none is included." in _made(
        workspace, "strict"
    )
    assert "The scorer found no false negative among the candidates." in _made(workspace, "strict")


def test_without_unlabeled_queries_the_card_speaks_of_none(make_workspace: Any) -> None:
    """Most collections have none."""
    made = make_workspace({"p0": "a", "p1": "b"}, {"q": "x"}, qrels=[("q", "p0"), ("q", "p1", 0)],
                          candidates={"q": ["p1", "p0"]})  # fmt: skip
    set_cutoffs(made, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    curate.export(made, name="plain")
    assert "No unlabeled query was mined, so there are no pseudo-labels." in _made(made, "plain")


MANY = {f"p{n:02d}": f"passage {n}" for n in range(40)}


def test_a_query_that_outweighs_the_others_is_told_and_can_be_capped(make_workspace: Any) -> None:
    """q0 has 30 of 31 positives. With a cap it keeps three, drawn by hash, and the others are no negatives."""
    qrels = [("q0", f"p{n:02d}") for n in range(30)] + [("q1", "p30")]
    judged = [(query, f"p{n}", 0) for query in ("q0", "q1") for n in (38, 39)]
    found = list(MANY)
    candidates = {"q0": found, "q1": found}
    made = make_workspace(MANY, {"q0": "x", "q1": "y"}, qrels=qrels + judged, candidates=candidates)
    set_cutoffs(made, "default", scorer_id="judge", depth=50, negative_below=0.1, positive_above=0.9)
    whole = curate.export(made, format="triplet", name="whole")
    assert whole.rows == 31 * 2
    assert "positives: one query has 30 of the 31 positives, and as large a share of the rows." in whole.text()
    for name in ("triplet", "n-tuple", "labeled-list", "tevatron", "beir"):
        capped = curate.export(made, format=name, positives=3)
        assert (capped.figures["positives"], capped.figures["positives_left_out"]) == (4, 27)
        assert "27 are left out, because their queries have more than 3" in capped.text()
        assert "| positives left out, because their query has more than the limit | 27 |" in (
            made.root / capped.path / "README.md"
        ).read_text("utf-8")
    rows = _rows(made, "triplet", "provenance")
    assert len(rows) == 4 * 2
    assert {row["negative_id"] for row in rows} == {"p38", "p39"}
    kept = {row["positive_id"] for row in rows if row["query_id"] == "q0"}
    assert kept < {passage for query, passage in qrels if query == "q0"}
    again = curate.export(made, format="triplet", name="again", positives=3)
    assert _rows(made, "again", "provenance") == rows
    assert again.rows == 8
    other = curate.export(made, format="triplet", name="other", positives=3, seed=1)
    assert {row["positive_id"] for row in _rows(made, "other", "provenance") if row["query_id"] == "q0"} != kept
    assert other.rows == 8


def test_what_people_judged_not_relevant_is_the_first_negative(workspace: Workspace) -> None:
    """It is certain. The others are guesses of the scorer, and are drawn after it."""
    for seed in range(4):
        before = curate.export(workspace, format="triplet", name=f"before-{seed}", negatives=1, seed=seed)
        assert before.rows == 3
    drawn = {row["negative_id"] for n in range(4) for row in _rows(workspace, f"before-{n}", "provenance")
             if row["query_id"] == "q-train"}  # fmt: skip
    assert len(drawn) > 1
    job = Job(workspace, "load", "load-00009")
    _write(job, "annotations", [
        {"query_key": _query("q-train"), "passage_key": _passage("p4"), "relevant": False, "annotator": "ann"}
    ])  # fmt: skip
    job.finish()
    for seed in range(4):
        curate.export(workspace, format="triplet", name=f"after-{seed}", negatives=1, seed=seed)
        rows = _rows(workspace, f"after-{seed}", "provenance")
        assert [row["negative_id"] for row in rows if row["query_id"] == "q-train"] == ["p4"]


def test_the_record_of_the_export_leads_to_its_inputs(workspace: Workspace) -> None:
    """The stage's record has settings, digests and counts for the lineage."""
    curate.export(workspace, format="triplet")
    (record,) = workspace.records("export")
    assert record.settings["runs"] == ["bm25-train", "bm25-unlabeled"]
    assert {"passages", "scores", "candidates"} <= set(record.inputs)
    assert record.facts["rows"] == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "triplets"}, "did you mean 'triplet'"),
        ({"run": ["nope"]}, "no run 'nope': there are bm25-unlabeled, bm25-train"),
        ({"cutoffs": "strict"}, "no cutoffs 'strict'; the cutoffs are: default"),
        ({"name": "../outside"}, "not a valid folder name"),
        ({"name": ".hidden"}, "not a valid folder name"),
        ({"name": "two words"}, "not a valid folder name"),
        ({"name": "line\n"}, "not a valid folder name"),
        ({"name": "x" * 101}, "not a valid folder name"),
        ({"run": ["bm25-unlabeled"], "augmented": False}, "nothing is left"),
        ({"negatives": 0}, "negatives"),
    ],
)
def test_settings_that_mean_nothing_are_refused(workspace: Workspace, options: dict[str, Any], says: str) -> None:
    """The error names the options that exist, or the nearest name."""
    with pytest.raises(BadSettings, match=says):
        curate.export(workspace, **options)


def test_nothing_is_exported_before_anything_is_scored(tmp_path: Path) -> None:
    """Unscored is not negative, and without cutoffs there are no decisions."""
    bare = Workspace.create(tmp_path / "bare")
    Job(bare, "load", "load-00001").finish()
    _mine(bare, "bm25-train", 1, {})
    with pytest.raises(BadSettings, match="curate denoise"):
        curate.export(bare, format="triplet")


def test_an_export_without_a_row_is_refused(workspace: Workspace) -> None:
    """No loader reads an empty set. The error counts what is missing."""
    _cutoffs(workspace, "none", depth=1)
    with pytest.raises(CurateError, match="of 3 queries with a positive, 3 have no safe negative"):
        curate.export(workspace, format="triplet", cutoffs="none", augmented=False)
    assert not (workspace.root / "exports/triplet").exists()


def test_the_plan_says_what_is_to_do_and_what_is_done(workspace: Workspace) -> None:
    """`--dry-run` counts queries; after the export all of them are done."""
    before = plan_export(workspace, format="triplet")
    assert (before.total, before.cached, before.seconds) == (5, 0, None)
    curate.export(workspace, format="triplet")
    after = plan_export(workspace, format="triplet")
    assert (after.total, after.cached) == (5, 5)
    assert len(workspace.records("export")) == 1


def _mine(
    workspace: Workspace,
    run: str,
    number: int,
    found: dict[str, list[tuple[str, float | None]]],
    retriever: str = "bm25",
    sources: list[str] | None = None,
) -> None:
    job = Job(workspace, "mine", run)
    _write(job, "candidates", [
        {"run_id": run, "query_key": _query(name), "passage_key": _passage(passage),
         "rank": rank, "score": 9.0 - rank}
        for name, passages in found.items() for rank, (passage, _) in enumerate(passages, 1)
    ])  # fmt: skip
    split = "unlabeled" if run.endswith("unlabeled") else "train"
    _write(job, "runs", [
        {"run_id": run, "retriever": retriever, "split": split, "depth": 6, "queries": len(found),
         "sources": sources or [], "round": number}
    ])  # fmt: skip
    job.finish()


def _denoise(workspace: Workspace) -> None:
    job = Job(workspace, "denoise", "denoise-1")
    _write(job, "scores", [
        {"scorer_id": "judge", "query_key": _query(name), "passage_key": _passage(passage),
         "logit": math.log(probability / (1 - probability))}
        for found in RUNS.values() for name, passages in found.items()
        for passage, probability in passages if probability is not None
    ])  # fmt: skip
    _write(job, "models", [
        {"model_id": "judge", "role": "cross-encoder", "path": "models/judge",
         "fingerprint": "f" * 64, "settings": "{}"}
    ])  # fmt: skip
    job.finish()
    _cutoffs(workspace, "default", depth=50)


def _cutoffs(workspace: Workspace, name: str, depth: int) -> None:
    job = Job(workspace, "cutoffs", f"cutoffs-{name}")
    _write(job, "cutoffs", [
        {"name": name, "revision": 1, "scorer_id": "judge", "depth": depth, "negative_below": 0.1,
         "positive_above": 0.9, "duplicate_above": 1.0, "pseudo_positives": "best"}
    ])  # fmt: skip
    job.finish()


def _write(job: Job, table: str, rows: list[dict[str, Any]]) -> None:
    job.write(table, 0, lambda: [pa.Table.from_pylist(rows, sql_files.schema(table))])


def _query(name: str) -> int:
    return list(QUERIES).index(name)


def _passage(name: str) -> int:
    return list(PASSAGES).index(name)


def _all_texts() -> list[str]:
    return [text for _, text in PASSAGES.values()] + [text for text, _ in QUERIES.values()]


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _rows(workspace: Workspace, name: str, config: str) -> list[dict[str, Any]]:
    pattern = str(workspace.root / "exports" / name / config / "*.parquet")
    with duckdb.connect() as connection:
        rows: list[dict[str, Any]] = connection.read_parquet(pattern).to_arrow_table().to_pylist()
    return rows


def _lines(workspace: Workspace, path: str, key: str) -> list[str]:
    lines = (workspace.root / "exports" / path).read_text("utf-8").splitlines()
    return [json.loads(line)[key] for line in lines]


def _digests(workspace: Workspace, name: str) -> dict[str, str]:
    folder = workspace.root / "exports" / name
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _data(workspace: Workspace, name: str) -> dict[str, str]:
    beside = ("README.md", "manifest.json")
    return {file: digest for file, digest in _digests(workspace, name).items() if file not in beside}
