"""Damage: a file that a record names is missing, cut, flipped or another's (curate/damage.py, curate/rebuild.py).

Every command that reads such a file stops with one message, and `curate rebuild` makes it good.
"""

import contextlib
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import duckdb
import pytest
from conftest import write_tiny_model

import curate
from curate import Workspace, sql_files
from curate.cli.main import run
from curate.cutoffs import set_cutoffs
from curate.errors import BadSettings, CurateError, Damaged, WorkspaceBusy
from curate.job_record import forgotten, places, read_record
from curate.jobs import Job
from curate.mine.import_run import import_run
from curate.rebuild import rebuild
from curate.shards import Manifest

PASSAGES = {"p1": "red apple", "p2": "green apple", "p3": "red car", "p4": "blue sky over a red car"}
QUERIES = {"q1": "apple", "q2": "red car", "q3": "sky", "p1": "red apple"}
LATER = {"p5": "an apple that came later", "p6": "sky and sea"}
LOAD = "load-00001"

# This needs a training. Its tests are in test_folds.py.
NEED_MORE = {"judge_queries"}


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a collection, labels, verdicts, a run of another program, and a later collection."""
    folder = tmp_path_factory.mktemp("collection")
    _lines(folder / "corpus.jsonl", [{"_id": key, "text": text} for key, text in PASSAGES.items()])
    _lines(folder / "queries.jsonl", [{"_id": key, "text": text} for key, text in QUERIES.items()])
    (folder / "qrels.train.tsv").write_text("q1\t0\tp1\t1\nq2\t0\tp3\t1\n")
    (folder / "qrels.test.tsv").write_text("q3\t0\tgone\t1\n")
    verdict = {"query_id": "q1", "passage_id": "p2", "relevant": True, "annotator": "ann"}
    _lines(folder / "annotations.jsonl", [verdict])
    (folder / "run.trec").write_text("q1 Q0 p2 1 9.5 x\nq1 Q0 p1 2 9.0 x\nq2 Q0 p3 1 8.0 x\n")
    _lines(folder / "later.jsonl", [{"_id": key, "text": text} for key, text in LATER.items()])
    return folder


@pytest.fixture(scope="module")
def whole(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with rows in every table but NEED_MORE; a second load came after the runs."""
    workspace = Workspace.create(tmp_path_factory.mktemp("whole") / "set")
    model = write_tiny_model(workspace.root / "models" / "judge")
    curate.load(
        workspace,
        passages=[collection / "corpus.jsonl"],
        queries=[collection / "queries.jsonl"],
        qrels=[collection / "qrels.train.tsv", f"test={collection / 'qrels.test.tsv'}"],
        annotations=[collection / "annotations.jsonl"],
        max_rejects=1,
    )
    run_id = curate.mine(workspace, depth=3).run_id
    encoder = write_tiny_model(workspace.root / "models" / "tower", head=False)
    curate.mine(workspace, depth=3, retriever="dense", encoder=str(encoder))
    import_run(workspace, collection / "run.trec", split="train")
    curate.denoise(workspace, run=run_id, scorer=str(model), depth=3)
    curate.calibrate(workspace, scale="log-odds")
    curate.evaluate(workspace, run=[run_id])
    curate.use(workspace, run=run_id)
    curate.draw_sample(workspace, "audit")
    curate.load(workspace, passages=[collection / "later.jsonl"])
    return workspace


@pytest.fixture
def here(whole: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the whole workspace, to be damaged."""
    shutil.copytree(whole.root, tmp_path / "set")
    return Workspace(tmp_path / "set")


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def delete(path: Path) -> None:
    """Lose a file."""
    path.unlink()


def cut(path: Path) -> None:
    """Lose the end of a file."""
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path, place: int | None = None) -> None:
    """Turn over one bit, by default in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Put another table's shard, with its manifest, in the place of a file."""
    tables = path.parents[2]
    other = min(tables.glob("*/*/*.parquet"), key=lambda found: (found.parent.parent == path.parent.parent, found))
    for mine, theirs in ((path, other), (Manifest.path(path), Manifest.path(other))):
        shutil.copy(theirs, mine)


def contents(workspace: Workspace) -> dict[str, str]:
    """Return the sha256 of every shard and manifest."""
    files = sorted(path for path in (workspace.root / "tables").glob("*/*/*.parquet*") if path.is_file())
    return {str(path.relative_to(workspace.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def shards(workspace: Workspace) -> list[Path]:
    """Return the first shard of every job in every table."""
    return sorted((workspace.root / "tables").glob("*/*/00000.parquet"))


def test_the_workspace_has_rows_in_every_table(whole: Workspace) -> None:
    """So that the tests below damage a shard of each table."""
    assert {path.parent.parent.name for path in shards(whole)} == set(sql_files.TABLES) - NEED_MORE


@pytest.mark.parametrize("harm", [delete, cut, flip, swap])
def test_a_damaged_shard_is_named(here: Workspace, whole: Workspace, harm: Callable[[Path], None]) -> None:
    """Whoever reads the table is told, whatever table it is."""
    for shard in {path.parent.parent.name: path for path in shards(here)}.values():
        table = shard.parent.parent.name
        harm(shard)
        with pytest.raises(Damaged, match=rf"tables/{table}/.*\. Run: curate rebuild"):
            here.sql(f"select count(*) from {table}")
        for path in (shard, Manifest.path(shard)):
            shutil.copy(whole.root / path.relative_to(here.root), path)


def test_rebuild_makes_every_shard_again(here: Workspace, whole: Workspace) -> None:
    """After the advice in the message every table is what it was. The shards are damaged in turn in each way."""
    for shard, harm in zip(shards(whole), cycle([delete, cut, flip, swap]), strict=False):
        harm(here.root / shard.relative_to(whole.root))
    damaged = {damage.path for damage in here.damage()}
    assert {path.parent.parent.name for path in damaged} >= {"passages", "candidates", "scores", "qrels"}

    mended = "\n".join(rebuild(here).mended)

    assert all(f"{shard.relative_to(here.root)}: made again" in mended for shard in damaged)
    assert contents(here) == contents(whole)
    assert rebuild(here).mended == []


@pytest.mark.parametrize("harm", [delete, cut])
def test_a_shard_that_is_gone_stops_every_command_that_reads_tables(
    here: Workspace, harm: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A lost shard of labels would make its queries unlabeled, and test questions would train."""
    harm(here.root / f"tables/qrels/{LOAD}/00000.parquet")
    for command in (["export"], ["report"], ["mine"], ["runs"], ["augment"], ["evaluate"], ["sql", "from runs"]):
        assert run(["-C", str(here.root), *command]) == 3, command
        said = capsys.readouterr().err
        assert said.count("error[damaged]: ") == 1
        assert f"tables/qrels/{LOAD}/00000.parquet" in said
    assert not (here.root / "exports").exists()


def test_a_command_reads_only_the_files_of_the_tables_that_it_needs(here: Workspace) -> None:
    """A flipped bit in the candidates does not matter to a question about the passages."""
    flip(next(path for path in shards(here) if path.parent.parent.name == "candidates"), place=30)
    assert here.sql("select count(*) from passages").item() == 6
    for question in ("from candidates", "from decisions", "select * from found", "from query_table('candidates')"):
        with pytest.raises(Damaged, match="candidates"):
            here.sql(question)


@pytest.mark.parametrize("harm", [delete, cut, flip])
def test_a_damaged_manifest_is_written_again_from_the_record(
    here: Workspace, whole: Workspace, harm: Callable[[Path], None]
) -> None:
    """The rows are whole, so nothing is computed."""
    harm(Manifest.path(here.root / f"tables/passages/{LOAD}/00000.parquet"))
    with pytest.raises(Damaged, match=r"00000\.parquet has no valid manifest"):
        here.connect()
    assert rebuild(here).mended == [f"tables/passages/{LOAD}/00000.parquet.json: restored"]
    assert contents(here) == contents(whole)


@pytest.mark.parametrize("harm", [delete, cut, flip])
@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_record_comes_back_from_its_copy(
    here: Workspace, harm: Callable[[Path], None], which: int
) -> None:
    """Without its record a job would not count. A damaged copy is no reason to stop."""
    before = here.records()
    harm(places(here.stages, LOAD)[which])
    if which == 0:
        with pytest.raises(Damaged, match=rf"{LOAD}\.json .* Run: curate rebuild"):
            here.sql("from passages")
        assert [damage.path.name for damage in here.damage()] == [f"{LOAD}.json"]
    assert rebuild(here).mended == [f"the record of {LOAD}: restored"]
    assert here.records() == before
    assert places(here.stages, LOAD)[0].read_bytes() == places(here.stages, LOAD)[1].read_bytes()


def test_a_copy_that_is_gone_is_damage_unless_a_kill_came_before_it(here: Workspace) -> None:
    """The copy of the last record may not be written yet. The next job writes it."""
    first, *_, last = here.records()
    delete(places(here.stages, last.job)[1])
    assert here.records()[-1] == last
    set_cutoffs(here, "strict", scorer_id="judge", depth=3, negative_below=0.05, positive_above=0.9)
    assert places(here.stages, last.job)[1].is_file()
    delete(places(here.stages, first.job)[1])
    with pytest.raises(Damaged, match=rf"record-copies/{LOAD}\.json is missing.* Run: curate rebuild"):
        here.sql("from passages")
    assert [damage.path for damage in here.damage()] == [places(here.stages, first.job)[1]]
    assert rebuild(here).mended == [f"the record of {LOAD}: restored"]


def test_records_that_are_gone_with_their_copies_are_missed(here: Workspace) -> None:
    """By the gap in their numbers. Without any record the shards tell. A job that is given up leaves no gap."""
    (record,) = here.records("evaluate")
    for path in places(here.stages, record.job):
        delete(path)
    with pytest.raises(Damaged, match=rf"number {record.number} of \d+\..* Run: curate rebuild$"):
        here.sql("from passages")
    with pytest.raises(Damaged, match=rf"must be that of {record.job}\..*curate rebuild --forget {record.number}"):
        rebuild(here)
    assert run(["-C", str(here.root), "rebuild", "--forget", str(record.number)]) == 0
    assert here.sql("select count(*) from passages").item() == 6
    assert [found.number for found in here.records()] == list(range(1, 1 + len(here.records())))
    for folder in ("stages", "record-copies"):
        shutil.rmtree(here.root / "tables" / folder)
    for look in (here.records, lambda: rebuild(here)):
        with pytest.raises(Damaged, match=r"hold no record, although there are shards of \d+ jobs"):
            look()


@pytest.mark.parametrize("job", [LOAD, "load-00002"])
@pytest.mark.parametrize("with_shards", [True, False])
def test_a_lost_load_is_not_forgotten(here: Workspace, job: str, with_shards: bool) -> None:
    """Test questions would train. Its shards tell that it was a load, or the numbers of the other loads do."""
    curate.load(here, passages=[_later(here, "p7")])
    number = lose_record(here, job, with_shards=with_shards)
    refused = rf"the record number {number} .* may be that of {job}\. A load cannot be forgotten"
    with pytest.raises(Damaged, match=refused):
        rebuild(here)
    with pytest.raises(BadSettings, match=refused):
        rebuild(here, forget=str(number), yes=True)
    assert run(["-C", str(here.root), "export"]) == 3


def test_a_lost_job_of_which_nothing_is_known_may_be_a_load(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is forgotten only for somebody who says that it was none."""
    number = lose_record(here, "use-00001", with_shards=False)
    for forget in ([], ["--forget", str(number)]):
        assert run(["-C", str(here.root), "rebuild", *forget]) in (2, 3)
        said = capsys.readouterr().err
        assert "nothing says which job it was" in said
        assert f"curate rebuild --forget {number} --yes" in said
    assert run(["-C", str(here.root), "rebuild", "--forget", str(number), "--yes"]) == 0
    assert here.sql("select count(*) from passages").item() == 6


def test_a_record_that_is_damaged_with_its_copy_is_given_up_by_name(here: Workspace) -> None:
    """Until then, what is damaged of the jobs before it is mended all the same. A load cannot be given up."""
    (record,) = here.records("evaluate")
    for path in [*places(here.stages, record.job), first(here, f"qrels/{LOAD}"), first(here, "choices")]:
        cut(path)
    with pytest.raises(
        Damaged, match=rf"both damaged.*give the job up: curate rebuild --forget {record.job}\n"
    ) as told:
        rebuild(here)
    assert "(tables/choices/use-00001/00000.parquet): waits for what is above" in str(told.value)
    assert f"Mended: tables/qrels/{LOAD}/00000.parquet: made again" in str(told.value)
    rebuild(here, forget=record.job)
    assert [found.number for found in here.records()] == list(range(1, 1 + len(here.records())))
    for path in places(here.stages, "load-00002"):
        cut(path)
    with pytest.raises(Damaged, match=r"load-00002\.json and its copy .* both damaged\. (?!.*--forget)"):
        rebuild(here)
    with pytest.raises(BadSettings, match="later jobs refer to its passages"):
        rebuild(here, forget="load-00002")


def lose_record(workspace: Workspace, job: str, *, with_shards: bool = True) -> int:
    """Delete a record and its copy, and the job's shards unless they stay; return the record's number."""
    number = read_record(places(workspace.stages, job)[0]).number
    for path in places(workspace.stages, job):
        path.unlink()
    if not with_shards:
        for folder in (workspace.root / "tables").glob(f"*/{job}"):
            shutil.rmtree(folder)
    return number


def _later(workspace: Workspace, passage: str) -> Path:
    path = workspace.root.with_name(f"{passage}.jsonl")
    _lines(path, [{"_id": passage, "text": "the last of all"}])
    return path


def test_a_record_that_is_written_anew_leaves_no_gap(here: Workspace) -> None:
    """A model that is trained again under its name gets a new number."""
    for job in (Job(here, "train", "train-x"), Job(here, "cutoffs", "between"), Job(here, "train", "train-x")):
        job.finish()
    assert [record.job for record in here.records()][-3:] == ["forgotten-00013", "between", "train-x"]


def test_a_load_that_was_killed_before_its_record_is_no_damage(tmp_path: Path) -> None:
    """Its shards wait for the same load to go on."""
    workspace = Workspace.create(tmp_path / "set")
    Job(workspace, "load", LOAD).write_rows("passages", [])
    assert workspace.records() == []


def test_a_choice_after_a_forgotten_one_is_in_force(here: Workspace) -> None:
    """The numbers of the choices go on from the highest one."""
    runs = [record.job for record in here.records("mine")]
    for run_id in (runs[1], runs[2]):
        curate.use(here, run=run_id)
    rebuild(here, forget="use-00001")
    assert curate.use(here, run=runs[0]).runs["train"] == runs[0]
    assert here.scan("choices").collect()["number"].to_list() == [2, 3, 4]


def test_every_bit_of_a_record_and_of_a_manifest_counts(here: Workspace) -> None:
    """A flipped bit is never read as another value. Some only turn white space into other white space."""
    record, shard = places(here.stages, LOAD)[0], here.root / f"tables/qrels/{LOAD}/00000.parquet"
    written, manifest = read_record(record), Manifest.read(shard)
    for place in range(0, record.stat().st_size, 5):
        flip(record, place)
        with contextlib.suppress(Damaged):
            assert read_record(record) == written
        flip(record, place)
    for place in range(0, Manifest.path(shard).stat().st_size, 5):
        flip(Manifest.path(shard), place)
        assert Manifest.read(shard) in (None, manifest)
        flip(Manifest.path(shard), place)


def test_a_load_is_made_again_from_the_same_files_elsewhere(
    here: Workspace, whole: Workspace, collection: Path, tmp_path: Path
) -> None:
    """`rebuild` says what it needs; loading the same bytes again gives every passage its key again."""
    moved = shutil.copytree(collection, tmp_path / "moved")
    record = here.record(LOAD)
    assert record is not None
    gone = {name.replace(str(collection), str(tmp_path / "gone")): sha for name, sha in record.inputs.items()}
    replace(record, inputs=gone).write(here.stages)
    delete(here.root / f"tables/passages/{LOAD}/00000.parquet")

    with pytest.raises(
        Damaged, match=r"corpus\.jsonl is missing.* load the same files again from there: curate load"
    ):
        rebuild(here)
    loaded = curate.load(
        here,
        passages=[moved / "corpus.jsonl"],
        queries=[moved / "queries.jsonl"],
        qrels=[moved / "qrels.train.tsv", f"test={moved / 'qrels.test.tsv'}"],
        annotations=[moved / "annotations.jsonl"],
        max_rejects=1,
    )

    assert loaded.already
    assert f"tables/passages/{LOAD}/00000.parquet: made again" in loaded.notes
    assert here.scan("passages").collect().equals(whole.scan("passages").collect())


def test_a_load_whose_files_changed_is_not_made_again(here: Workspace, collection: Path, tmp_path: Path) -> None:
    """Its keys would belong to other passages."""
    changed = tmp_path / "corpus.jsonl"
    changed.write_text((collection / "corpus.jsonl").read_text().replace("red apple", "red pear"))
    record = here.record(LOAD)
    assert record is not None
    names = {
        name.replace(str(collection / "corpus.jsonl"), str(changed)): sha for name, sha in record.inputs.items()
    }
    replace(record, inputs=names).write(here.stages)
    flip(here.root / f"tables/passages/{LOAD}/00000.parquet")
    with pytest.raises(Damaged, match=r"corpus\.jsonl is not what was loaded"):
        rebuild(here)


def test_scores_whose_model_is_gone_become_unscored_pairs(here: Workspace) -> None:
    """What cannot be made again is not there, and the result says how to score the pairs again."""
    shutil.rmtree(here.root / "models")
    (shard,) = here.root.glob("tables/scores/*/00000.parquet")
    flip(shard)
    (said,) = rebuild(here).mended
    assert "their pairs are unscored now. Score them again: curate denoise --run bm25-train-" in said
    assert here.sql("select count(*) from scores").item() == 0
    assert here.sql("select distinct decision from decisions where decision = 'hard_negative'").is_empty()


def test_a_job_that_cannot_be_made_again_can_be_given_up(
    here: Workspace, collection: Path, tmp_path: Path
) -> None:
    """An imported run is lost with its file. The workspace works on without it. Loads cannot be given up."""
    (record,) = [record for record in here.records("mine") if "run" in record.inputs]
    facts = {**record.facts, "file": str(tmp_path / "gone.trec")}
    replace(record, facts=facts).write(here.stages)
    delete(here.root / f"tables/candidates/{record.job}/00000.parquet")
    with pytest.raises(Damaged, match=rf"gone\.trec is missing.*curate rebuild --forget {record.job}"):
        rebuild(here)
    with pytest.raises(BadSettings, match="later jobs refer to its passages"):
        rebuild(here, forget=LOAD)
    assert run(["-C", str(here.root), "rebuild", "--forget", record.job, "--yes"]) == 0
    assert record.job not in here.sql("from runs")["run_id"].to_list()


@pytest.mark.parametrize(("answer", "code"), [(None, 2), ("n\n", 1), ("y\n", 0)])
def test_a_job_is_given_up_only_after_somebody_agreed(
    here: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str | None,
    code: int,
) -> None:
    """Without a terminal nobody can be asked, and the message has the command that needs no answer."""
    (record,) = [record for record in here.records("mine") if "run" in record.inputs]
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer or "y\n"))
    if answer:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(["-q", "-C", str(here.root), "rebuild", "--forget", record.job]) == code
    told = capsys.readouterr().err
    assert f"this deletes tables/stages/{record.job}.json, " in told
    assert (f"try: curate rebuild --forget {record.job} --yes" in told) == (answer is None)
    kept = here.sql("from runs")["run_id"].to_list()
    assert (record.job in kept) == (code != 0)


def test_a_torn_shard_of_the_ledger_of_an_unfinished_job_is_scored_again(here: Workspace) -> None:
    """No record names it yet, so it is work that was not done."""
    (record,) = here.records("denoise")
    for path in places(here.stages, record.job):
        path.unlink()
    forgotten(record.number, record.job).write(here.stages)
    assert here.sql("select count(*) from scores").item() > 0
    flip(here.root / f"tables/scores/{record.job}/00000.parquet")
    assert here.sql("select count(*) from scores").item() == 0
    curate.denoise(here, run=record.settings["run"], scorer="models/judge", depth=3)
    assert here.sql("select count(*) from scores").item() > 0


def test_a_damaged_search_index_is_built_again(here: Workspace) -> None:
    """BM25 would rank by it without a word."""
    (index,) = here.root.glob("indexes/bm25-*")
    largest = max(
        (path for path in index.iterdir() if path.suffix != ".json"), key=lambda path: path.stat().st_size
    )
    before = here.sql("from candidates")
    (record,) = [record for record in here.records("mine") if record.settings["retriever"] == "bm25"]
    flip(largest)
    delete(here.root / f"tables/candidates/{record.job}/00000.parquet")
    rebuild(here)
    assert here.sql("from candidates").equals(before)


def test_a_model_that_was_trained_here_must_have_the_weights_that_its_training_wrote(here: Workspace) -> None:
    """With other weights it would be another scorer, and score everything anew without a word."""
    weights = here.root / "models/judge/model.safetensors"
    record = here.records("denoise")[0]
    facts = {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    settings = {"kind": "cross-encoder"}
    replace(
        record,
        job="train-judge",
        stage="train",
        number=here.next_number,
        outputs={},
        facts=facts,
        settings=settings,
    ).write(here.stages)
    run_id = record.settings["run"]
    assert curate.denoise(here, run=run_id, scorer="models/judge", depth=3).scored_now == 0
    flip(weights)
    with pytest.raises(
        Damaged, match=r"models/judge does not have the weights .* curate train cross-encoder --name judge"
    ):
        curate.denoise(here, run=run_id, scorer="models/judge", depth=3)


def test_a_catalogue_that_another_program_holds_is_refreshed_by_the_next_command(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client keeps the file locked during a write. Until it ends, every command says that the file is old."""
    catalogue = here.root / "curate.duckdb"
    here.refresh_catalogue()
    with holding(catalogue):
        set_cutoffs(here, "strict", scorer_id="judge", depth=3, negative_below=0.05, positive_above=0.9)
        assert not here.catalogue_is_current()
        assert run(["-C", str(here.root), "runs"]) == 0
        assert "curate.duckdb is out of date, because another program has it open" in capsys.readouterr().err
        assert run(["-C", str(here.root), "rebuild"]) == 5
        assert "is open in another program. Close it there" in capsys.readouterr().err
    assert run(["-C", str(here.root), "runs"]) == 0
    assert read(catalogue, "select count(*) from cutoffs where name = 'strict'") == [(1,)]
    assert capsys.readouterr().err.count("out of date") == 0


def test_a_copied_or_moved_workspace_does_not_read_the_tables_of_the_original(here: Workspace) -> None:
    """The catalogue has absolute paths. The next command in the copy notices, from any folder."""
    here.refresh_catalogue()
    copy = Path(shutil.copytree(here.root, here.root.with_name("copy")))
    assert run(["-C", str(copy), "runs"]) == 0
    shutil.rmtree(here.root)
    assert read(copy / "curate.duckdb", "select count(*) from passages") == [(6,)]
    moved = copy.rename(copy.with_name("moved"))
    assert run(["-C", str(moved), "runs"]) == 0
    assert read(moved / "curate.duckdb", "select count(*) from passages") == [(6,)]


@pytest.mark.parametrize("name", ["set", "a lock in a block"])
@pytest.mark.parametrize("content", [b"", b"lock", b"a block of text that is no database " * 400])
def test_a_damaged_catalogue_is_not_taken_for_one_that_is_in_use(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """Whatever words the path and DuckDB's message have. The damaged file is kept beside the new one."""
    workspace = Workspace.create(tmp_path / name)
    (workspace.root / "curate.duckdb").write_bytes(content)
    with pytest.raises(CurateError, match=r"cannot be refreshed: .* Run: curate rebuild"):
        workspace.refresh_catalogue()
    with holding(workspace.root / "curate.duckdb", database=False), pytest.raises(WorkspaceBusy, match="open in"):
        rebuild(workspace)
    rebuild(workspace)
    assert (workspace.root / "curate.duckdb.damaged").read_bytes() == content
    assert read(workspace.root / "curate.duckdb", "select count(*) from decisions") == [(0,)]


def test_a_folder_that_looks_like_a_spill_folder_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a process id at its end makes it one. A host's name may have any characters."""
    monkeypatch.setattr("platform.node", lambda: "a/b [c]*")
    workspace = Workspace.create(tmp_path / "set")
    for name in (".spill-a_b__c__-x", ".spill-a_b__c__-", ".spill-a_b__c__-99999999999999999999"):
        (workspace.root / name).mkdir()
    with workspace.lock():
        assert workspace.sql("select 1 as one").item() == 1
    assert sorted(path.name for path in workspace.root.glob(".spill-*")) == [
        ".spill-a_b__c__-",
        ".spill-a_b__c__-x",
    ]


def test_a_path_with_a_backslash_is_refused(tmp_path: Path) -> None:
    """DuckDB takes a backslash for a slash, and would look in another folder."""
    with pytest.raises(BadSettings, match="has a backslash in its path"):
        Workspace.create(tmp_path / "a\\b" / "set")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def elsewhere(collection: Path) -> Iterator[Path]:
    """Move the files that were loaded to another folder, until the end of the test; return it."""
    moved = collection.rename(collection.with_name("elsewhere"))
    yield moved
    moved.rename(collection)


def first(workspace: Workspace, name: str) -> Path:
    """Return the first shard whose path below `tables/` begins with a text."""
    return min(
        path for path in shards(workspace) if str(path.relative_to(workspace.root / "tables")).startswith(name)
    )


def manifest(workspace: Workspace, name: str) -> Path:
    """Return the manifest of the `first` shard."""
    return Manifest.path(first(workspace, name))


def schema(workspace: Workspace, table: str) -> Path:
    """Return the shard without rows of a table."""
    return workspace.root / f"tables/{table}/schema.parquet"


Harm = Callable[[Workspace], object]
AT_ONCE: dict[str, list[Harm]] = {
    "two tables of one load": [
        lambda here: flip(first(here, f"passages/{LOAD}")),
        lambda here: cut(first(here, f"qrels/{LOAD}")),
    ],
    "two tables of one run": [
        lambda here: delete(first(here, "candidates/bm25")),
        lambda here: flip(first(here, "runs/bm25")),
    ],
    "a load and a later run": [
        lambda here: delete(first(here, f"queries/{LOAD}")),
        lambda here: cut(first(here, "candidates/bm25")),
    ],
    "both loads and a run between them": [
        lambda here: flip(first(here, f"passages/{LOAD}"), place=30),
        lambda here: delete(first(here, "candidates/dense")),
        lambda here: cut(first(here, "passages/load-00002")),
    ],
    "a record and a shard of another job": [
        lambda here: delete(places(here.stages, LOAD)[0]),
        lambda here: cut(first(here, "candidates/bm25")),
    ],
    "a record, and its copy of another job": [
        lambda here: cut(places(here.stages, LOAD)[0]),
        lambda here: flip(places(here.stages, "load-00002")[1]),
        lambda here: flip(first(here, "scores")),
    ],
    "manifests, and a shard of another job": [
        lambda here: delete(manifest(here, f"passages/{LOAD}")),
        lambda here: cut(manifest(here, "candidates/bm25")),
        lambda here: flip(manifest(here, "scores")),
        lambda here: cut(first(here, "candidates/dense")),
    ],
    "a shard and its manifest": [
        lambda here: flip(first(here, "scores")),
        lambda here: delete(manifest(here, "scores")),
    ],
    "shards without rows": [
        lambda here: delete(schema(here, "passages")),
        lambda here: flip(schema(here, "qrels")),
        lambda here: cut(Manifest.path(schema(here, "scores"))),
        lambda here: flip(first(here, f"qrels/{LOAD}")),
    ],
    "a lost job, and shards before and after it": [
        lambda here: lose_record(here, here.records("evaluate")[0].job),
        lambda here: cut(first(here, f"qrels/{LOAD}")),
        lambda here: flip(first(here, "candidates/bm25")),
        lambda here: delete(first(here, "choices")),
    ],
    "two lost jobs and a load": [
        lambda here: lose_record(here, here.records("evaluate")[0].job),
        lambda here: lose_record(here, "use-00001"),
        lambda here: delete(first(here, "passages/load-00002")),
    ],
}
ELSEWHERE: dict[str, list[Harm]] = {
    "two loads": [
        lambda here: cut(first(here, f"passages/{LOAD}")),
        lambda here: delete(first(here, "passages/load-00002")),
    ],
    "a load, runs and scores": [
        lambda here: delete(first(here, f"queries/{LOAD}")),
        lambda here: cut(first(here, "candidates/bm25")),
        lambda here: cut(first(here, "candidates/trec")),
        lambda here: flip(first(here, "scores")),
    ],
    "a load, a later load and a lost job": [
        lambda here: flip(first(here, f"passages/{LOAD}")),
        lambda here: lose_record(here, here.records("evaluate")[0].job),
        lambda here: flip(first(here, "passages/load-00002")),
    ],
}


@pytest.mark.parametrize("harms", AT_ONCE.values(), ids=AT_ONCE)
def test_the_advice_makes_everything_whole_whatever_is_damaged_at_once(
    here: Workspace, whole: Workspace, harms: list[Harm], capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands that messages advise are run in their order, until there is no message."""
    for harm in harms:
        harm(here)
    follow_the_advice(here, capsys, {})
    assert contents(here) == contents(whole)


@pytest.mark.parametrize("harms", ELSEWHERE.values(), ids=ELSEWHERE)
def test_the_advice_makes_everything_whole_from_files_that_lie_elsewhere(
    here: Workspace,
    whole: Workspace,
    harms: list[Harm],
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each load and import is named with what it needs. A job after it waits, and no scores are given up."""
    for harm in harms:
        harm(here)
    loaded = [
        *("--passages", elsewhere / "corpus.jsonl", "--queries", elsewhere / "queries.jsonl"),
        *("--qrels", elsewhere / "qrels.train.tsv", "--qrels", f"test={elsewhere / 'qrels.test.tsv'}"),
        *("--annotations", elsewhere / "annotations.jsonl", "--max-rejects", 1),
    ]
    follow_the_advice(
        here,
        capsys,
        {
            LOAD: ["load", *map(str, loaded)],
            "load-00002": ["load", "--passages", str(elsewhere / "later.jsonl")],
            "trec-": ["mine", "--run", str(elsewhere / "run.trec"), "--split", "train"],
        },
    )
    assert contents(here) == contents(whole)


def follow_the_advice(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], again: dict[str, list[str]]
) -> None:
    """Look at every table, and run what the messages advise until all are whole.

    again: beginning of a job's name -> the command with its files, where the advice has a placeholder for them.
    """
    looks = [["sql", "from decisions"], ["sql", "from rejects"], ["sql", "from choices"], ["sql", "from claims"]]
    for _ in range(8):
        failed = next(
            (look for look in [*looks, ["runs"], ["status"]] if run(["-C", str(workspace.root), *look])), None
        )
        said = capsys.readouterr().err
        if failed is None:
            assert workspace.damage() == []
            return
        while commands := advised(said, again):
            for command in commands:
                code = run(["-C", str(workspace.root), *command])
                said = capsys.readouterr().err
                if code:
                    break
    pytest.fail(f"not whole after 8 rounds: {said}")


def advised(said: str, again: dict[str, list[str]]) -> list[list[str]]:
    """Return the commands of a message in their order: the one to try, or one of each job that is named."""
    if tried := re.search(r"^  try: curate (.*)$", said, re.MULTILINE):
        return [tried[1].split()]
    commands = []
    for line in said.splitlines():
        job = next((job for job in again if line.startswith(job)), None)
        if job:
            commands.append(again[job])
        elif forget := re.search(r"go on without it: curate (rebuild --forget \d+)$", line):
            commands.append(forget[1].split())
    return commands


def test_a_table_that_is_first_read_later_is_checked_then(here: Workspace) -> None:
    """A lazy connection was opened, and other tables were read, before the damage."""
    with here.connect_lazily() as connection:
        assert len(sql_files.query(connection, "from passages").fetchall()) == 6
        flip(first(here, "scores"), place=30)
        assert len(sql_files.query(connection, "from passages").fetchall()) == 6
        for reader in (connection, sql_files.cursor(connection)):
            for question in ("from scores", "from decisions"):
                with pytest.raises(Damaged, match=r"tables/scores/.* does not have the bytes that were written"):
                    sql_files.query(reader, question)


def test_threads_define_and_check_views_at_the_same_time(here: Workspace) -> None:
    """Each has a cursor of one lazy connection. They get what one reader gets, and each is told of damage."""
    views = [*sql_files.view_names(), *sql_files.TABLES] * 2
    with here.connect() as connection:
        expected = [counted(connection, view) for view in views]
    with here.connect_lazily() as connection, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda view: counted(sql_files.cursor(connection), view), views)) == expected
    flip(first(here, "candidates"), place=30)
    with here.connect_lazily() as connection, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(counted, sql_files.cursor(connection), "candidates") for _ in range(8)]
        assert [type(one.exception()) for one in asked] == [Damaged] * 8


def counted(connection: duckdb.DuckDBPyConnection, name: str) -> object:
    """Return the number of rows of a table or view."""
    return sql_files.query(connection, f"select count(*) from {name}").fetchall()


@contextlib.contextmanager
def holding(path: Path, *, database: bool = True) -> Iterator[None]:
    """Have another process keep a file open, as a DuckDB client does, or only locked as DuckDB locks it."""
    open_it = "duckdb.connect(sys.argv[1])" if database else "lock(sys.argv[1])"
    program = (
        "import sys, duckdb, fcntl\n"
        "def lock(path):\n    stream = open(path, 'r+b'); fcntl.lockf(stream, fcntl.LOCK_EX); return stream\n"
        f"held = {open_it}\nprint('held', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            process.communicate()


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    """Ask a catalogue as a client does that knows nothing of curate, from another folder."""
    with contextlib.chdir("/"), duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql(query).fetchall()
