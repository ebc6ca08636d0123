"""`--devices N`: processes that run a model beside that of the command (curate/models/devices.py)."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from device_workers import (
    begins_parts,
    breaks,
    dies,
    does_nothing,
    fills_memory,
    logs,
    refuses,
    squares,
    surroundings,
)

import curate
from curate import Workspace
from curate.cli.main import run
from curate.denoise import scoring
from curate.errors import BadInput, BadSettings, CurateError
from curate.models.devices import check_devices, devices, shared_out, times_as_fast, using_devices
from curate.shard_in_work import State, shard_in_work, stop_after_shard

Make = Callable[..., Workspace]
Model = Callable[..., Path]


@pytest.fixture(autouse=True)
def two_devices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Share work out among two processes, and give torch its own number of threads back."""
    before = torch.get_num_threads()
    monkeypatch.setenv("CURATE_DEVICES", "2")
    yield
    torch.set_num_threads(before)


def everyone(work: Callable[..., Any], *arguments: Any, parts: int = 4) -> Any:
    """Share parts out, without doing any here, and return what the other process found."""
    with shared_out(work, arguments, range(parts), lambda _units: None) as share:
        pass
    return share.results


def test_every_part_is_done_once_by_one_of_the_processes() -> None:
    """This one takes every second part, and hears of each unit that the other has done."""
    told: list[int] = []
    with shared_out(squares, (100,), range(5), told.append) as share:
        here = list(share)
    assert here == [0, 2, 4]
    assert share.results == [[101, 109]]
    assert told == [1, 1]


@pytest.mark.parametrize(("count", "parts"), [("1", 5), ("2", 1), ("2", 0)])
def test_no_process_is_started_for_nothing(monkeypatch: pytest.MonkeyPatch, count: str, parts: int) -> None:
    """One device, or one shard, needs no other process."""
    monkeypatch.setenv("CURATE_DEVICES", count)
    monkeypatch.setattr("curate.models.devices._Other", None)
    with shared_out(squares, (0,), range(parts), lambda _units: None) as share:
        assert list(share) == list(range(parts))
    assert share.results == []


def test_the_processes_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none of them starts others."""
    monkeypatch.setenv("CURATE_THREADS", "6")
    with shared_out(surroundings, (), range(2), lambda _units: None) as share:
        here = torch.get_num_threads()
    assert share.results == [(None, "1", 3, 3)]
    assert (here, torch.get_num_threads(), os.environ["CURATE_THREADS"]) == (3, 6, "6")


def test_the_error_of_another_process_is_raised_as_it_is() -> None:
    """With file, line and exit code."""
    with pytest.raises(BadInput, match=r"texts.jsonl:3: part 1 is bad") as raised:
        everyone(refuses)
    assert (raised.value.exit_code, raised.value.line) == (3, 3)


@pytest.mark.parametrize(
    ("work", "kind", "told"),
    [
        pytest.param(breaks, ZeroDivisionError, "part 1", id="by a fault of the program"),
        pytest.param(fills_memory, MemoryError, "part 1", id="by lack of memory"),
        pytest.param(dies, CurateError, "process 2 of 2 ended early, with exit code 9", id="by a kill"),
    ],
)
def test_another_process_may_fail_in_any_way(work: Callable[..., Any], kind: type[Exception], told: str) -> None:
    """The command fails in the same way, so that it says the same."""
    with pytest.raises(kind, match=told):
        everyone(work)


def test_what_nobody_foresaw_comes_with_its_traceback() -> None:
    """It goes to the file that is saved for a report of the bug."""
    with pytest.raises(ZeroDivisionError) as raised:
        everyone(breaks)
    assert "device_workers.py" in "".join(raised.value.__notes__)


def test_a_fault_while_hearing_of_another_process_is_raised() -> None:
    """Otherwise its share would be missed by nobody."""

    def broken(_units: int) -> None:
        raise BrokenPipeError(32, "stderr is closed")

    def heard() -> None:
        with shared_out(squares, (0,), range(4), broken):
            pass

    with pytest.raises(BrokenPipeError):
        heard()


def test_work_may_return_nothing() -> None:
    """That is no early end."""
    assert everyone(does_nothing) == []


def test_this_process_stops_when_another_has_failed() -> None:
    """It need not do its own share first."""

    def slowly() -> None:
        with shared_out(refuses, (), range(1000), lambda _units: None) as share:
            for _ in share:
                time.sleep(0.1)

    with pytest.raises(BadInput):
        slowly()


def test_what_another_process_logs_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the fields of a line of JSON."""
    with caplog.at_level(logging.INFO, "curate"):
        assert everyone(logs) == [1]
    assert [(line.getMessage(), line.shard) for line in caplog.records if hasattr(line, "shard")] == [
        ("wrote part 1", "scores/7")
    ]


def interrupted(folder: Path, part: int, ask: Callable[[], object], here: Callable[[], object]) -> None:
    """Do something here while the other process works; ask to stop when that has begun a part."""
    with shared_out(begins_parts, (folder,), range(20), lambda _units: None):
        while not (folder / f"begun-{part}").exists():
            time.sleep(0.01)
        ask()
        here()


@pytest.mark.parametrize("is_busy", [True, False])
def test_ctrl_c_lets_every_process_finish_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_busy: bool
) -> None:
    """And begin no other one, whether the command is in the middle of a long shard or between two."""
    monkeypatch.setattr(State, "asked", False)

    def here() -> None:
        if is_busy:
            with shard_in_work():
                time.sleep(2)

    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path, 3, stop_after_shard, here)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun-1", "begun-3", "done-1", "done-3"]


def test_a_request_to_end_ends_the_others_at_once(tmp_path: Path) -> None:
    """SIGTERM leaves no time for a shard."""

    def end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path, 1, end, lambda: None)
    time.sleep(1)
    assert [path.name for path in tmp_path.iterdir()] == ["begun-1"]


SCRIPT = """
from device_workers import squares
from curate.models.devices import shared_out

print("once")
with shared_out(squares, (0,), range(4), lambda units: None) as share:
    print(sorted([*share, *share.results]))
print(share.results)
"""


def test_a_script_needs_no_guard() -> None:
    """The other process does not run its lines, even if they come from standard input."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    told = subprocess.run(
        [sys.executable, "-"],
        input=SCRIPT,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert told.stdout.splitlines() == ["once", "[0, 2]", "[[1, 9]]"]
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(("visible", "seen"), [(None, "1"), ("4, 6", "6"), ("GPU-aa,GPU-bb", "GPU-bb")])
def test_each_process_sees_one_gpu(monkeypatch: pytest.MonkeyPatch, visible: str | None, seen: str) -> None:
    """Of those that this one sees."""
    monkeypatch.setattr("curate.models.devices.device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (found,) = everyone(surroundings)
    assert found[0] == seen
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible


def test_gpus_that_are_hidden_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models then run on the CPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    (found,) = everyone(surroundings)
    assert found[0] == "-1"


def test_the_recipe_says_how_many_devices_unless_the_caller_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere, an option comes before the settings of the workspace."""
    with using_devices(3):
        assert devices() == 2
    monkeypatch.delenv("CURATE_DEVICES")
    with using_devices(3):
        assert devices() == 3
    with using_devices(None):
        assert devices() == 1


def test_a_forecast_counts_the_devices_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one shard only one works, and on a CPU they share its cores."""
    assert times_as_fast(9) == 1
    monkeypatch.setattr("curate.models.devices.device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert (times_as_fast(9), times_as_fast(1), times_as_fast(0)) == (2, 1, 1)


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5", ""])
def test_another_number_of_devices_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """It is never guessed."""
    monkeypatch.setenv("CURATE_DEVICES", given)
    with pytest.raises(BadSettings, match=f"CURATE_DEVICES is '{given}', expected a whole number above 0"):
        devices()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("cuda", "2 devices are wanted, and this process sees 1 GPU: --devices 1"),
        ("mps", "an Apple GPU serves one"),
    ],
)
def test_more_devices_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch, kind: str, told: str) -> None:
    """Before a model is loaded. A CPU can be shared by any number of processes."""
    assert devices() == 2
    monkeypatch.setattr("curate.models.devices.device", lambda: kind)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BadSettings, match=told):
        check_devices(2)


@pytest.fixture
def mined(make_workspace: Make) -> Workspace:
    """Return a workspace whose scores fill four shards of three pairs."""
    passages = {f"p{number}": f"text {letter * 3}" for number, letter in enumerate("abcdefgh")}
    queries = {f"q{number}": f"what {letter * 3}" for number, letter in enumerate("abcd")}
    found = {query: [f"p{(start + step) % 8}" for step in range(3)] for start, query in enumerate(queries)}
    return make_workspace(passages, queries, qrels=[("q0", "p0"), ("q1", "p1")], candidates=found)


def files(root: Path, pattern: str) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob(pattern)}


def test_scores_of_two_devices_are_the_bytes_of_one(
    mined: Workspace, tiny_cross_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are the tokens and the texts that were cut, which the record counts."""
    monkeypatch.setattr(scoring, "SMALLEST_SHARD", 3)
    scorer, other = str(tiny_cross_encoder()), mined.root.with_name("other")
    shutil.copytree(mined.root, other)
    both = curate.denoise(mined, scorer=scorer, depth=3, max_length=8)
    monkeypatch.setenv("CURATE_DEVICES", "1")
    one = curate.denoise(Workspace(other), scorer=scorer, depth=3, max_length=8)

    written = files(mined.root, "tables/*/*/*.parquet")
    assert len([name for name in written if name.startswith("tables/scores/")]) > 2
    assert written == files(other, "tables/*/*/*.parquet")
    assert both.scored_now == one.scored_now
    facts = [[r.facts["pairs"], r.facts["cut"], r.facts["tokens"]] for r in (
        *mined.records("denoise"), *Workspace(other).records("denoise")) if "cut" in r.facts]  # fmt: skip
    assert facts[0] == facts[1]


def test_embeddings_of_two_devices_are_the_bytes_of_one(
    tmp_path: Path, tiny_encoder: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shard of passages is embedded by one of them."""
    encoder, made = str(tiny_encoder()), []
    for folder in (tmp_path / "two", tmp_path / "one"):
        workspace = Workspace.create(folder)
        for part in "ab":
            source = tmp_path / f"{part}.jsonl"
            rows = (f'{{"_id": "{part}{number}", "text": "text {part} {number}"}}\n' for number in range(4))
            source.write_text("".join(rows), "utf-8")
            curate.load(workspace, passages=[source])
        (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "text"}\n', "utf-8")
        curate.load(workspace, unlabeled=[tmp_path / "queries.jsonl"])
        made.append(curate.mine(workspace, split="unlabeled", retriever="dense", encoder=encoder, depth=3))
        monkeypatch.setenv("CURATE_DEVICES", "1")
    assert len(files(tmp_path / "two", "embeddings/*/passages/*.npy")) == 2
    for pattern in ("embeddings/*/*/*.npy", "tables/candidates/*/*.parquet"):
        assert files(tmp_path / "two", pattern) == files(tmp_path / "one", pattern)
    assert made[0].passages_encoded == made[1].passages_encoded == 8


PROGRAM = """
import sys, time
from curate.cli.main import main
from curate.denoise import scoring

scoring.SMALLEST_SHARD = 3
if __name__ == "__main__":
    main()
"""


def test_a_command_that_is_killed_takes_its_processes_along(
    mined: Workspace, tiny_cross_encoder: Model, tmp_path: Path
) -> None:
    """So they write nothing beside the command that goes on, whose result is that of one without a kill."""
    program, scorer = tmp_path / "program.py", str(tiny_cross_encoder())
    program.write_text(PROGRAM, "utf-8")
    other = mined.root.with_name("other")
    shutil.copytree(mined.root, other)

    def command(root: Path) -> list[str]:
        return [sys.executable, str(program), "-C", str(root), "denoise", "--scorer", scorer, "--depth", "3"]

    killed = subprocess.Popen(command(mined.root), stderr=subprocess.DEVNULL, start_new_session=True)
    while killed.poll() is None and not list(mined.root.glob("tables/scores/*/*.parquet.json")):
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and _group(killed.pid):
        time.sleep(0.05)
    assert not _group(killed.pid)

    for root in (mined.root, other):
        subprocess.run(command(root), check=True, capture_output=True)
    assert files(mined.root, "tables/*/*/*.parquet") == files(other, "tables/*/*/*.parquet")


def _group(leader: int) -> bool:
    """Return whether a process of the group is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_option_reaches_the_stages(mined: Workspace, tiny_cross_encoder: Model) -> None:
    """As the other options of the machine, it may stand before the command or after it."""
    scorer = str(tiny_cross_encoder())
    for words in (["--devices", "0", "denoise"], ["denoise", "--devices", "x"]):
        assert run(["-C", str(mined.root), *words, "--scorer", scorer]) == 2
    assert run(["-C", str(mined.root), "denoise", "--devices", "1", "--scorer", scorer]) == 0
