"""Verdicts of annotators: in the terminal, on the page, and on their way into the tables."""

import base64
import hashlib
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sampled import judged_run

import curate
from curate import BadSettings, Workspace, WorkspaceBusy
from curate.annotate.journal import Journal, load_journals, path_of
from curate.annotate.session import Session
from curate.annotate.sheet import Pair, Sheet
from curate.cli.main import run
from curate.errors import Damaged, NoSpace

HOSTILE = '</script><script>alert(1)</script><!-- \u202e \x1b[31m & "quoted" \u2028 <b>'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace with a sample of 12 pairs."""
    here = judged_run(tmp_path)
    curate.draw_sample(here, "audit", queries=10, pairs=12)
    return here


def in_force(workspace: Workspace) -> dict[tuple[str, int, int], Any]:
    rows = workspace.scan("annotations").collect().to_dicts()
    return {(row["annotator"], row["query_key"], row["passage_key"]): row["relevant"] for row in rows}


def test_a_session_goes_on_where_it_ended_and_asks_skipped_pairs_last(workspace: Workspace) -> None:
    """What was judged is not asked again. A skipped pair has no verdict, and comes when no other one is left."""
    sheet = Sheet.of(workspace, "audit", "ann")
    with Journal.open(workspace, "audit", "ann") as journal:
        session = Session(sheet, journal)
        session.judge(True)
        session.skip()
        session.judge(None)
        assert session.verdicts == {sheet.pairs[0].id: True, sheet.pairs[2].id: None}
    load_journals(workspace)
    sheet = Sheet.of(workspace, "audit", "ann")
    assert sheet.verdicts == {sheet.pairs[0].id: True, sheet.pairs[2].id: None}
    with Journal.open(workspace, "audit", "ann") as journal:
        session = Session(sheet, journal)
        assert session.current == sheet.pairs[1]
        session.skip()
        asked = []
        while session.current:
            asked.append(session.current)
            session.judge(False)
        assert asked == [*sheet.pairs[3:], sheet.pairs[1]]
        assert session.judged == len(sheet.pairs)


def test_back_returns_to_a_pair_whose_verdict_the_next_one_replaces(workspace: Workspace) -> None:
    """The journal has both, and the last one counts."""
    with Journal.open(workspace, "audit", "ann") as journal:
        session = Session(Sheet.of(workspace, "audit", "ann"), journal)
        first = session.current
        assert first
        session.judge(True)
        session.back()
        assert session.current == first
        session.judge(False)
    (loaded,) = load_journals(workspace)
    assert loaded.counts["annotations"] == 1
    assert list(in_force(workspace).values()) == [False]


def test_a_kill_loses_no_verdict(workspace: Workspace) -> None:
    """A session that was killed in the middle of a line leaves the lines before it, which an import loads."""
    with Journal.open(workspace, "audit", "ann") as journal:
        session = Session(Sheet.of(workspace, "audit", "ann"), journal)
        session.judge(True)
        # What is on the disk now, without closing anything, is what a kill leaves.
        kept = path_of(workspace, "audit", "ann").read_bytes()
        assert kept.endswith(b"\n")
        assert json.loads(kept)["relevant"] is True
    with path_of(workspace, "audit", "ann").open("ab") as stream:
        stream.write(b'{"query_id": "q1", "pass')
    assert run(["-C", str(workspace.root), "annotate", "import"]) == 0
    assert list(in_force(workspace).values()) == [True]
    assert not path_of(workspace, "audit", "ann").exists()
    assert load_journals(workspace) == []


def test_loaded_verdicts_can_be_made_again_from_what_was_kept(workspace: Workspace) -> None:
    """The shard of the load is lost; the journal was kept beside it."""
    with Journal.open(workspace, "audit", "ann") as journal:
        Session(Sheet.of(workspace, "audit", "ann"), journal).judge(True)
    (loaded,) = load_journals(workspace)
    shutil.rmtree(workspace.root / "tables" / "annotations" / loaded.job)
    curate.rebuild(workspace)
    assert list(in_force(workspace).values()) == [True]


def test_an_annotator_has_one_session_at_a_time_and_others_have_their_own(workspace: Workspace) -> None:
    """A running session keeps its verdicts to itself."""
    with Journal.open(workspace, "audit", "ann") as journal, Journal.open(workspace, "audit", "ben"):
        journal.add(Sheet.of(workspace, "audit", "ann").pairs[0].id, relevant=True)
        with pytest.raises(WorkspaceBusy, match="ann is judging"), Journal.open(workspace, "audit", "ann"):
            pass
        assert load_journals(workspace) == []
        assert in_force(workspace) == {}


def test_unsure_is_never_a_negative(workspace: Workspace, tmp_path: Path) -> None:
    """Unsure verdicts decide nothing. One that is certain later replaces them, and the reverse."""
    pair = Sheet.of(workspace, "audit", "ann").pairs[0]

    def load(relevant: bool | None) -> None:
        about = {"query_id": pair.query_id, "passage_id": pair.passage_id, "annotator": "ann"}
        file = tmp_path / f"{relevant}.jsonl"
        file.write_text(json.dumps({**about, "relevant": relevant, "sample_id": "audit"}) + "\n")
        curate.load(workspace, annotations=[file])

    before = workspace.scan("decisions").collect()
    load(None)
    assert list(in_force(workspace).values()) == [None]
    assert workspace.scan("decisions").collect().equals(before)
    load(False)
    assert list(in_force(workspace).values()) == [False]
    assert workspace.scan("judgements").filter(source="annotation").collect()["relevant"].to_list() == [False]
    load(None)
    assert list(in_force(workspace).values()) == [None]
    assert workspace.scan("judgements").filter(source="annotation").collect().is_empty()


def test_a_verdict_that_names_its_sample_has_the_chance_of_its_pair(workspace: Workspace, tmp_path: Path) -> None:
    """Annotators do not see it: it would tell them how rare the decision is."""
    pairs = Sheet.of(workspace, "audit", "ann").pairs
    lines = [
        {"query_id": pair.query_id, "passage_id": pair.passage_id, "relevant": True, "annotator": "ann"}
        for pair in pairs[:2]
    ]
    lines[0]["sample_id"] = "audit"
    file = tmp_path / "verdicts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    curate.load(workspace, annotations=[file])
    known = workspace.sql(
        "select annotations.inclusion, sample_pairs.inclusion as drawn from annotations "
        "inner join sample_pairs using (query_key, passage_key) order by annotations.sample_id nulls last"
    ).to_dicts()
    assert known[0]["inclusion"] == known[0]["drawn"]
    assert known[1]["inclusion"] is None


def test_an_older_verdict_never_replaces_a_newer_one(workspace: Workspace, tmp_path: Path) -> None:
    """Whichever is loaded first, also within one load, as of two downloads of a page. Offsets count."""
    first, second = Sheet.of(workspace, "audit", "ann").pairs[:2]

    def file(name: str, pair: Pair, relevant: bool, at: str) -> Path:
        about = {"query_id": pair.query_id, "passage_id": pair.passage_id, "annotator": "ann"}
        path = tmp_path / f"{name}.jsonl"
        path.write_text(json.dumps({**about, "relevant": relevant, "judged_at": at}) + "\n")
        return path

    newer, older = "2026-03-01T10:00:00+00:00", "2026-03-01T11:00:00+02:00"
    curate.load(workspace, annotations=[file("a", first, True, newer)])
    curate.load(workspace, annotations=[file("b", first, False, older)])
    curate.load(workspace, annotations=[file("c", second, False, older), file("d", second, True, newer)])
    assert list(in_force(workspace).values()) == [True, True]


def test_a_verdict_that_is_given_again_for_a_sample_names_it(workspace: Workspace, tmp_path: Path) -> None:
    """It was loaded without its sample before, and would not count in the estimate."""
    pair = Sheet.of(workspace, "audit", "ann").pairs[0]
    about = {"query_id": pair.query_id, "passage_id": pair.passage_id, "annotator": "ann", "relevant": True}
    for name, more in (("a", {}), ("b", {"sample_id": "audit"}), ("c", {})):
        (tmp_path / name).with_suffix(".jsonl").write_text(json.dumps(about | more) + "\n")
        curate.load(workspace, annotations=[(tmp_path / name).with_suffix(".jsonl")])
    assert workspace.scan("annotations").collect()["sample_id"].to_list() == ["audit"]


def test_a_damaged_journal_is_named_and_the_others_are_loaded(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A power failure left NUL bytes in one of two."""
    for name in ("ann", "ben"):
        with Journal.open(workspace, "audit", name) as journal:
            Session(Sheet.of(workspace, "audit", name), journal).judge(True)
    broken = min((path_of(workspace, "audit", name), name) for name in ("ann", "ben"))
    with broken[0].open("ab") as stream:
        stream.write(bytes(40) + b"\n")
    assert run(["-C", str(workspace.root), "annotate", "import"]) == Damaged.exit_code
    assert f"{broken[0]}:2" in capsys.readouterr().err.replace("\n", "")
    assert [annotator for annotator, _, _ in in_force(workspace)] == [{"ann": "ben", "ben": "ann"}[broken[1]]]
    assert broken[0].exists()


class Elements(HTMLParser):
    """The scripts, styles and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, ""))  # what follows is not in the element

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


def hostile_page() -> str:
    from curate.annotate.page import page

    pairs = [Pair("q1", "p1", HOSTILE, HOSTILE, HOSTILE), Pair("q1", "p2", HOSTILE, "", "plain")]
    return page(Sheet("audit", "ann", pairs, {("q1", "p1"): True}))


def test_nothing_in_a_text_can_run_and_nothing_is_loaded() -> None:
    """The policy names the one script and the one style by their hashes. The texts are data, which is whole."""
    found = Elements(hostile_page()).found
    (policy,) = [about["content"] or "" for _, about, _ in found if about.get("http-equiv")]
    scripts = [(about.get("type"), text) for tag, about, text in found if tag == "script"]
    (style,) = [text for tag, _, text in found if tag == "style"]
    (data,) = [text for kind, text in scripts if kind == "application/json"]
    (script,) = [text for kind, text in scripts if kind is None]
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert json.loads(data)["pairs"][0]["passage"] == HOSTILE
    names = {name for _, about, _ in found for name in about}
    assert not {"src", "href", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "innerHTML" not in script


def test_a_page_shows_no_score_rank_or_decision(workspace: Workspace, tmp_path: Path) -> None:
    """And asks for the file to be named anew, unless it may be replaced."""
    written = curate.write_page(workspace, tmp_path / "audit.html", "audit")
    text = Path(written.path).read_text("utf-8")
    assert not any(word in text for word in ("hard_negative", "inclusion", "stratum", "probability", '"rank"'))
    with pytest.raises(BadSettings, match="exists already"):
        curate.write_page(workspace, tmp_path / "audit.html")
    with pytest.raises(BadSettings, match="belongs to the workspace"):
        curate.write_page(workspace, workspace.root / "tables" / "audit.html")
    assert curate.write_page(workspace, tmp_path / "audit.html", force=True).pairs == 12


@pytest.mark.slow
def test_a_browser_runs_the_page_under_its_policy(tmp_path: Path) -> None:
    """It begins with the verdicts that are known, at the pair that is not judged yet."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here")
    file = tmp_path / "page.html"
    file.write_text(hostile_page(), "utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, check=True
    ).stdout
    assert "1 of 2 pairs judged" in shown
    assert ">plain</div>" in shown
    assert "Passage 2 of 2 of this query" in shown
    # The verdict that it began with is loaded already, and is not given back.
    assert '<button id="download" type="button" disabled="">' in shown


def test_keys_on_the_screen_become_verdicts(workspace: Workspace) -> None:
    """r, n and u judge, s skips, b goes back; the texts cannot control the terminal."""
    pytest.importorskip("textual")
    import asyncio

    from textual.widgets import Static

    from curate.cli.annotate_screen import AnnotateScreen

    sheet = Sheet.of(workspace, "audit", "ann")
    hostile = Sheet("audit", "ann", [*sheet.pairs[:3], Pair("q1", "p1", HOSTILE, HOSTILE, HOSTILE)], {})

    async def judge(journal: Journal) -> str:
        screen = AnnotateScreen(Session(hostile, journal))
        async with screen.run_test(size=(80, 24)) as pilot:
            await pilot.press("r", "n", "b", "u", "s")
            shown = str(screen.query_one("#passage", Static).content)
            await pilot.press("q")
        return shown

    with Journal.open(workspace, "audit", "ann") as journal:
        shown = asyncio.run(judge(journal))
        assert journal.verdicts == {hostile.pairs[0].id: True, hostile.pairs[1].id: None}
    assert "\\x1b[31m" in shown
    assert "\\u202e" in shown


def test_a_verdict_that_cannot_be_written_ends_the_screen(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is returned, and the journal turns it into the one that names its file."""
    pytest.importorskip("textual")
    import asyncio

    from curate.cli.annotate_screen import AnnotateScreen

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async def judge(journal: Journal) -> None:
        screen = AnnotateScreen(Session(Sheet.of(workspace, "audit", "ann"), journal))
        async with screen.run_test() as pilot:
            await pilot.press("r")
        assert screen.return_code == 1
        assert screen.return_value
        raise screen.return_value

    monkeypatch.setattr(Journal, "add", full)
    with pytest.raises(NoSpace, match="No space left"), Journal.open(workspace, "audit", "ann") as journal:
        asyncio.run(judge(journal))


def test_the_annotator_may_be_named_before_the_page(workspace: Workspace, tmp_path: Path) -> None:
    """As before the name of a sample."""
    file = tmp_path / "audit.html"
    words = ["annotate", "--annotator", "ann", "page", "audit", "-o", str(file)]
    assert run(["-C", str(workspace.root), *words]) == 0
    assert '"annotator":"ann"' in file.read_text("utf-8")


def test_without_a_terminal_the_page_is_named(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a sample is not a command, and neither is none."""
    for words in (["audit"], [], ["--annotator", "ann", "audit"]):
        assert run(["-C", str(workspace.root), "annotate", *words]) == 2
        assert "curate annotate page audit -o audit.html" in capsys.readouterr().err
