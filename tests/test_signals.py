"""Ctrl-C, SIGTERM, closed pipes and full disks, as a shell meets them: in processes of their own."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from curate import Workspace
from curate.cli.main import run
from curate.denoise import scoring

ENDLESS = "select sum(a.range * b.range) from range(1000000000) as a, range(1000000000) as b"
Make = Callable[..., Workspace]


@pytest.fixture
def here(make_workspace: Make) -> Path:
    """Return the folder of a workspace."""
    return make_workspace({"p": "text"}, {"q": "query"}).root


def curate(here: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "curate", "-C", str(here), *arguments]


def started(here: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start an endless query, and wait until it runs."""
    log = here / "log"
    command = curate(here, "--log-file", str(log), "sql", ENDLESS, *arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (log.exists() and "begins" in log.read_text("utf-8")):
        time.sleep(0.02)
    time.sleep(1)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_query(here: Path, number: signal.Signals, code: int) -> None:
    """The exit code names the signal, the message has the command, and no file is left half written."""
    target = here / "found.csv"
    process = started(here, "--output", str(target))
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert "error[interrupted]" in told
    assert f"  try: curate -C {here} " in told
    assert not [path.name for path in here.iterdir() if "found" in path.name]


def test_ctrl_c_in_a_terminal_stops_a_query(here: Path) -> None:
    """The terminal sends the signal to the process that it shows."""
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, curate(here, "--log-file", str(here / "log"), "sql", ENDLESS))
    while not ((here / "log").exists() and "begins" in (here / "log").read_text("utf-8")):
        time.sleep(0.02)
    time.sleep(1)
    os.write(terminal, b"\x03")
    told = b""
    while b"try:" not in told:
        told += os.read(terminal, 1000)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    os.close(terminal)


SLOW = """
import sys, time
from pathlib import Path
from curate.cli.main import main
from curate.denoise import scoring
from curate.models.cross_encoder import CrossEncoder

gate, score = Path(sys.argv.pop(1)), CrossEncoder.score

def slow(*arguments):
    gate.with_name("begun").touch()
    while not gate.exists():
        time.sleep(0.01)
    return score(*arguments)

CrossEncoder.score, scoring.SMALLEST_SHARD = slow, 3
main()
"""
FINISHING = b"Finishing the shard in work; press Ctrl-C again to stop at once"


def denoise(here: Path, scorer: Path) -> list[str]:
    return ["-C", str(here), "denoise", "--scorer", str(scorer), "--depth", "4"]


class Scoring:
    """`curate denoise` in a terminal of its own. The model scores nothing before the gate is opened."""

    def __init__(self, here: Path, scorer: Path) -> None:
        self.gate = here / "gate"
        self.told = b""
        self.process, self.terminal = pty.fork()
        if not self.process:
            os.execv(sys.executable, [sys.executable, "-c", SLOW, str(self.gate), *denoise(here, scorer)])
        while not self.gate.with_name("begun").exists():
            time.sleep(0.02)

    def interrupt(self) -> None:
        os.write(self.terminal, b"\x03")

    def read_until(self, text: bytes) -> None:
        while text not in self.told:
            self.told += os.read(self.terminal, 1000)

    def exit_code(self) -> int:
        """Return the exit code, and keep the rest of what the command says."""
        with suppress(OSError):  # the other end is closed
            while more := os.read(self.terminal, 1000):
                self.told += more
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def scores(here: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in here.glob("tables/scores/*/*.parquet")}


@pytest.fixture
def mined(make_workspace: Make) -> Path:
    """Return the folder of a workspace whose scores fill two shards of three pairs."""
    passages = {f"p{number}": f"text {letter * 3}" for number, letter in enumerate("abcdef")}
    queries = {"q1": "what aaa", "q2": "what bbb"}
    found = {"q1": ["p0", "p1", "p2"], "q2": ["p1", "p3", "p4"]}
    return make_workspace(passages, queries, qrels=[("q1", "p0"), ("q2", "p1")], candidates=found).root


def test_the_first_ctrl_c_finishes_the_shard_in_work(
    mined: Path, tiny_cross_encoder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command then goes on behind that shard, to the bytes of a command that nobody interrupted."""
    scorer, whole = tiny_cross_encoder(), mined.with_name("whole")
    shutil.copytree(mined, whole)
    interrupted = Scoring(mined, scorer)
    interrupted.interrupt()
    interrupted.read_until(FINISHING)
    interrupted.gate.touch()
    assert interrupted.exit_code() == 130
    assert b"error[interrupted]" in interrupted.told
    assert b"  try: curate -C " in interrupted.told
    assert [*scores(mined)] == ["00000.parquet"]
    assert len(Workspace(mined).sql("from scores")) == 3
    monkeypatch.setattr(scoring, "SMALLEST_SHARD", 3)
    assert [run(denoise(folder, scorer)) for folder in (mined, whole)] == [0, 0]
    assert scores(mined) == scores(whole)
    assert len(scores(mined)) == 2


def test_the_second_ctrl_c_ends_the_process_at_once(mined: Path, tiny_cross_encoder: Callable[..., Path]) -> None:
    """The gate stays closed: the shard in work is lost, and nothing is half written."""
    interrupted = Scoring(mined, tiny_cross_encoder())
    interrupted.interrupt()
    interrupted.read_until(FINISHING)
    interrupted.interrupt()
    assert interrupted.exit_code() == 130
    assert not scores(mined)


def test_a_second_signal_ends_the_process_at_once() -> None:
    """This holds for work that does not listen."""
    program = """
import signal, time, os
from curate.cli.interruption import heard
with heard():
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        except KeyboardInterrupt:
            continue
    time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=50)
    assert done.returncode == 130


def test_a_reader_that_stops_early_gives_141(here: Path) -> None:
    """An example is `curate sql ... | head -1`. Nothing is printed on stderr."""
    command = curate(here, "sql", "from range(3000000) as numbers (i)")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"i\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("redirected", "code", "says"),
    [
        ("sql 'select 1' > /dev/full", 6, "error[no-space]: the disk is full"),
        ("sql 'select 1' >&-", 2, "error[usage]: stdout is closed"),
        ("sql 'select 1' 2>&-", 0, ""),
        ("sql - <&-", 2, "error[bad-settings]: stdin is closed"),
        ("sql \"$(printf 'select \\377')\"", 2, "is not UTF-8: 'select \\udcff'"),
        ("runs", 2, "the current folder no longer exists"),
    ],
)
def test_streams_and_folders_that_are_not_there(here: Path, redirected: str, code: int, says: str) -> None:
    """Each is a clear error, and none is a bug in curate."""
    gone = here / "gone"
    gone.mkdir()
    folder = f"rmdir {gone}; exec" if redirected == "runs" else f"cd {here}; exec"
    command = f"{folder} {sys.executable} -P -m curate {redirected}"
    done = subprocess.run(["bash", "-c", command], cwd=gone, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_ascii_output_shows_escapes(here: Path) -> None:
    """A terminal that is limited to ASCII is no error."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = curate(here, "sql", "select 'café' as name", "--format", "csv")
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "name\ncaf\\xe9\n"
