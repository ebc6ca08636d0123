"""Served scorers (curate/models/served): what they ask a server for, and what they make of its answers."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate import Workspace
from curate.cli.main import run
from curate.config import Denoise
from curate.denoise import scoring
from curate.denoise.plan_scoring import plan_score
from curate.denoise.score_job import Scored
from curate.denoise.scoring import score_by_each
from curate.errors import BadAnswer, BadInput, BadSettings
from curate.models.scorer import find_source
from curate.models.scorer_options import ScorerOptions
from curate.models.served import client, rerank
from curate.models.served.judge_prompt import DEFAULT
from curate.models.served.scorer import ServedScorer, ServedSource

Make = Callable[..., Workspace]
Reply = tuple[int, dict[str, str], bytes]
KEY = "sk-only-the-server-may-see-this"
PASSAGES = {
    "p0": "aaa and nothing else", "p1": "bbb and nothing else", "p2": "aaa bbb", "p3": "ccc", "p4": "aaa aaa ccc",
}  # fmt: skip
QUERIES = {"q1": "what about aaa", "q2": "what about bbb"}
FOUND = {"q1": ["p0", "p1", "p2", "p3"], "q2": ["p1", "p4", "p2"]}


def logit(query: str, passage: str) -> float:
    """Return 3 for each word of the passage that the query has, less 1 for each other one: the test's model."""
    words = set(query.lower().split())
    return float(sum(3.0 if word.lower() in words else -1.0 for word in passage.split()))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


class Server:
    """A server whose form, model and oddities a test sets. It remembers what it was asked."""

    def __init__(self) -> None:
        self.form = "tei"
        self.gives_raw = True
        self.info: dict[str, Any] = {"model_id": "org/judge", "model_sha": "abc", "max_client_batch_size": 3}
        self.models: list[dict[str, Any]] = []
        self.logit = logit
        self.tokens: Callable[[float], list[tuple[str, float]]] = lambda value: [
            ("yes", math.log(sigmoid(value))),
            ("no", math.log(sigmoid(-value))),
        ]
        self.odd: list[Callable[[Server, dict[str, Any]], Reply | None]] = []
        """What the next requests for scores get instead of an answer; the probes at the start are answered."""
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.port = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def scored(self) -> list[dict[str, Any]]:
        """Return the requests for scores, without the probes."""
        return [body for _, body, _ in self.asked if body and not is_probe(body)]

    def answer(self, path: str, body: dict[str, Any] | None) -> Reply:
        if body is None:
            return self.tell(path)
        if self.odd and not is_probe(body) and (odd := self.odd.pop(0)(self, body)):
            return odd
        if self.form == "tei" and path == "/rerank" and "texts" in body:
            return ok([{"index": at, "score": score} for at, score in self.ranked(body["texts"], body)])
        if self.form == "cohere" and path == "/v1/rerank" and "documents" in body:
            rows = [{"index": at, "relevance_score": score} for at, score in self.ranked(body["documents"], body)]
            return ok({"results": rows, "model": body["model"]})
        if self.form == "chat" and path == "/v1/chat/completions":
            return ok(chat_answer(self.tokens(self.judged(body["messages"][0]["content"]))))
        return 404, {}, b"no such route"

    def tell(self, path: str) -> Reply:
        if path == "/info" and self.form == "tei":
            return ok(self.info)
        if path == "/v1/models" and self.models:
            return ok({"object": "list", "data": self.models})
        return 404, {}, b"<html>not found</html>"

    def ranked(self, passages: list[str], body: dict[str, Any]) -> list[tuple[int, float]]:
        raw = self.gives_raw and body.get("raw_scores", False)
        scores = [self.logit(body["query"], passage) for passage in passages]
        found = enumerate(scores if raw else [sigmoid(score) for score in scores])
        return sorted(found, key=lambda pair: -pair[1])

    def judged(self, prompt: str) -> float:
        query, passage = prompt.split("Query: ")[1].split("\n\nPassage: ")
        return self.logit(query, passage.split("\n\nDoes the")[0])


def is_probe(body: dict[str, Any]) -> bool:
    return rerank.QUERY in json.dumps(body)


def ok(answer: Any) -> Reply:
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def chat_answer(tokens: Sequence[tuple[str, float]]) -> dict[str, Any]:
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in tokens]
    content = [{**(top[0] if top else {}), "top_logprobs": top}]
    return {"choices": [{"message": {"content": ""}, "logprobs": {"content": content}}]}


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: else the second one waits for the system

        def do_GET(self) -> None:
            self.reply(None)

        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def reply(self, body: dict[str, Any] | None) -> None:
            server.asked.append((self.path, body or {}, dict(self.headers)))
            status, headers, content = server.answer(self.path, body)
            if status == 0:  # the connection just ends, perhaps after the start of an answer
                self.wfile.write(content)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv(client.KEY, raising=False)
    monkeypatch.setattr(client, "FIRST_WAIT", 0.001)
    with serving(Server()) as running:
        yield running


@pytest.fixture
def small_set(make_workspace: Make) -> Workspace:
    return make_workspace(PASSAGES, QUERIES, qrels=[("q1", "p0")], candidates=FOUND)


def opened(server: Server, root: Path, name: str = "", **options: Any) -> ServedScorer:
    source = find_source(server.address + name, root, ScorerOptions(**options))
    assert isinstance(source, ServedSource)
    return source.open()


def scores(scorer: ServedScorer, queries: Sequence[str], passages: Sequence[str]) -> list[float]:
    """Return the scores of every query with every passage."""
    pairs = np.array([(q, p) for q in range(len(queries)) for p in range(len(passages))])
    return [float(score) for score in scorer.score(scorer.prepare(queries, passages, pairs))]


def denoised(workspace: Workspace, scorer: str) -> Scored:
    """Score the set's run as `curate denoise` does, without its audit."""
    return score_by_each(workspace, "bm25-train", {None: Denoise(scorer=scorer)})[0]


def every(queries: Sequence[str], passages: Sequence[str]) -> list[float]:
    return [logit(query, passage) for query in queries for passage in passages]


TEXTS = (list(QUERIES.values()), list(PASSAGES.values()))


# The routes


@pytest.mark.parametrize(
    ("form", "model", "told"),
    [
        ("tei", "", "rerank route /rerank in the form of text-embeddings-inference, raw scores"),
        ("cohere", "#judge", "rerank route /v1/rerank in the form of Cohere, raw scores"),
        ("chat", "#judge", "chat route /v1/chat/completions, yes against no by the prompt in prompts/judge.txt"),
    ],
)
def test_a_route_is_found_by_what_the_server_answers(
    server: Server, tmp_path: Path, form: str, model: str, told: str
) -> None:
    """It is told which. Each gives the logits in the order of the pairs, whatever the order of its answer."""
    server.form = form
    scorer = opened(server, tmp_path, model)
    assert scorer.source.spec.text.startswith(told)
    assert scores(scorer, *TEXTS) == pytest.approx(every(*TEXTS), abs=1e-4)


def test_a_path_names_the_route(server: Server, tmp_path: Path) -> None:
    server.form = "chat"
    assert opened(server, tmp_path, "/v1/chat/completions#judge").route.path == "/v1/chat/completions"
    assert opened(server, tmp_path, "/v1#judge").route.path == "/v1/chat/completions"
    with pytest.raises(BadAnswer, match="/v1/rerank: status 404"):
        opened(server, tmp_path, "/v1/rerank#judge")


def test_a_request_has_passages_of_one_query_and_no_more_than_the_server_takes(
    server: Server, tmp_path: Path
) -> None:
    """The server takes 3 at a time, so 2 queries with 5 passages each are 4 requests."""
    scores(opened(server, tmp_path), *TEXTS)
    sizes = sorted((body["query"], len(body["texts"])) for body in server.scored())
    assert sizes == [(query, size) for query in TEXTS[0] for size in (2, 3)]
    assert all(body["raw_scores"] and body["truncate"] for body in server.scored())


def test_a_pair_with_an_empty_text_is_not_sent_and_has_no_score(server: Server, tmp_path: Path) -> None:
    found = scores(opened(server, tmp_path), ["what about aaa", " "], ["aaa", "\n"])
    assert found[0] == 3
    assert np.isnan(found[1:]).all()


def test_a_server_without_any_route_is_told_with_what_each_route_answered(server: Server, tmp_path: Path) -> None:
    server.form = "none"
    with pytest.raises(BadAnswer) as caught:
        opened(server, tmp_path, "#judge")
    for route in ("/rerank", "/v1/rerank", "/v2/rerank", "/v1/chat/completions"):
        assert f"POST {server.address}{route}: status 404: 'no such route'" in str(caught.value)


# What it gives


@pytest.mark.parametrize("form", ["tei", "cohere", "chat"])
def test_what_a_server_gives_says_nothing_of_the_scale(server: Server, tmp_path: Path, form: str) -> None:
    """A raw score is a logit before the sigmoid. It need not be one of which the sigmoid means nothing."""
    server.form = form
    settings = opened(server, tmp_path, "#org/judge").settings
    assert "scale" not in settings
    assert settings["gives"] == ("yes against no" if form == "chat" else "raw scores")


def test_probabilities_become_their_logits(server: Server, tmp_path: Path) -> None:
    """A server that gives the same with and without the wish for raw scores, all within 0 and 1."""
    server.gives_raw = False
    scorer = opened(server, tmp_path)
    assert "probabilities, of which the logits are taken" in scorer.source.spec.text
    assert scores(scorer, *TEXTS) == pytest.approx(every(*TEXTS), abs=1e-4)


def test_probabilities_of_0_and_1_are_clipped_and_told(server: Server, tmp_path: Path) -> None:
    server.gives_raw = False
    server.logit = lambda query, passage: 700.0 if "surely" in passage else logit(query, passage)
    scorer = opened(server, tmp_path)
    assert scores(scorer, ["a"], ["surely", "b"]) == pytest.approx([math.log(2**24 - 1), -1])
    assert scorer.remarks() == ["1 of 2 probabilities of 0 or 1 became logits of -16.6 or 16.6"]


def test_a_score_above_1_is_no_probability(server: Server, tmp_path: Path) -> None:
    server.gives_raw = False
    scorer = opened(server, tmp_path)
    server.odd = [lambda _, body: ok([{"index": 0, "score": 1.5}])]
    with pytest.raises(
        BadAnswer, match=r"a score of 1.5 from a server whose first scores all lay between 0 and 1"
    ):
        scores(scorer, ["a"], ["b"])


# The judge: yes against no


@pytest.mark.parametrize(
    ("tokens", "expected", "told"),
    [
        ([("yes", -0.5), (" Yes", -2.0), ("No", -3.0), ("maybe", -4.0)], np.logaddexp(-0.5, -2.0) + 3.0, []),
        ([("▁no", -0.2), ("**yes**", -2.0)], -1.8, []),
        ([("yes", -0.1), ("maybe", -4.0), ("perhaps", -6.0)], 5.9, ["1 of 1 answers listed only one of"]),
        ([("no", -0.1), ("maybe", -4.0), ("yes", -9999.0)], -3.9, ["1 of 1 answers listed only one of"]),
        ([("yes", -2.0), ("no", -3.0), ("The", -0.3)], 1.0, ["1 of 1 answers gave yes and no together less than"]),
        ([("The", -0.1), ("A", -3.0)], math.nan, ["1 of 1 answers listed neither yes nor no"]),
        ([("The", -0.1), ("yes", -3.0)], math.nan, ["1 of 1 answers listed neither yes nor no"]),
    ],
)
def test_the_logit_is_that_of_yes_less_that_of_no(
    server: Server, tmp_path: Path, tokens: list[tuple[str, float]], expected: float, told: list[str]
) -> None:
    """Summed over the tokens that spell them. What is not listed is bounded by what is, or there is no score."""
    server.form = "chat"
    scorer = opened(server, tmp_path, "#judge")
    server.odd = [lambda _, body: ok(chat_answer(tokens))]
    assert scores(scorer, ["a"], ["b"]) == pytest.approx([expected], nan_ok=True)
    assert len(scorer.remarks()) == len(told)
    assert all(remark.startswith(start) for remark, start in zip(scorer.remarks(), told, strict=True))


def test_a_model_that_never_begins_with_yes_or_no_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    server.form, server.tokens = "chat", lambda _: [("<think>", -0.01), ("Okay", -5.0)]
    with pytest.raises(BadAnswer, match=r"its answers begin with neither yes nor no. Does the model think first"):
        opened(server, tmp_path, "#judge")


def test_what_texts_hold_in_braces_stays_as_it_is(server: Server, tmp_path: Path) -> None:
    server.form = "chat"
    scores(opened(server, tmp_path, "#judge"), ["the {passage}"], ["of {query}"])
    (body,) = server.scored()
    assert "Query: the {passage}\n\nPassage: of {query}\n" in body["messages"][0]["content"]


def test_the_prompt_is_a_file_of_the_workspace_and_part_of_the_fingerprint(
    server: Server, small_set: Workspace
) -> None:
    """It is written with the first scores, not by a dry run. Another prompt is another scorer."""
    server.form = "chat"
    file, scorer = small_set.root / "prompts" / "judge.txt", f"{server.address}#judge"
    plan_score(small_set, "denoise", "bm25-train", {None: Denoise(scorer=scorer)}, "default")
    assert not file.exists()
    first = denoised(small_set, scorer)
    assert file.read_text("utf-8") == DEFAULT
    file.write_text(DEFAULT.replace("search results", "answers"), "utf-8")
    second = denoised(small_set, scorer)
    assert second.scorer_id != first.scorer_id
    assert second.scored_now == first.scored_now > 0


def test_a_prompt_must_have_both_places_and_be_there(server: Server, tmp_path: Path) -> None:
    server.form = "chat"
    (tmp_path / "bad.txt").write_text("Is {query} good?", "utf-8")
    with pytest.raises(BadInput, match=r"bad.txt: the prompt of the judge has no \{passage\}"):
        opened(server, tmp_path, "#judge", prompt="bad.txt")
    with pytest.raises(BadSettings, match=r"no file '.*other.txt' with the prompt of the judge"):
        opened(server, tmp_path, "#judge", prompt="other.txt")


# What a server may answer


def rows(*pairs: tuple[Any, Any]) -> Callable[[Server, dict[str, Any]], Reply]:
    return lambda server, body: ok([{"index": index, "score": score} for index, score in pairs])


def text(content: str, status: int = 200) -> Callable[[Server, dict[str, Any]], Reply]:
    return lambda server, body: (status, {}, content.encode())


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (rows((0, 1.0)), "status 200, 1 scores for 2 passages, none for 1"),
        (rows(), "0 scores for 2 passages, none for 0"),
        (rows((0, 1.0), (1, 2.0), (1, 3.0)), "two scores for passage 1"),
        (rows((0, 1.0), (2, 2.0)), "index 2, but 2 passages were asked about"),
        (rows((0, 1.0), (-1, 2.0)), "index -1, but 2 passages"),
        (rows((0, 1.0), ("1", 2.0)), "index '1', but 2 passages"),
        (rows((0, 1.0), (True, 2.0)), "index True, but 2 passages"),
        (rows((0, 1.0), (1, None)), "the score None of passage 1, no finite number"),
        (rows((0, 1.0), (1, "0.5")), "the score '0.5' of passage 1, no finite number"),
        (rows((0, 1.0), (1, True)), "the score True of passage 1, no finite number"),
        (rows((0, 1.0), (1, 1e39)), r"the score 1e\+39 of passage 1, no finite number"),
        (text('[{"index": 0, "score": NaN}, {"index": 1, "score": 1}]'), "not JSON"),
        (text('[{"index": 0, "score": 1}, {"ind'), "not JSON"),
        (text("[" * 40_000), "not JSON"),
        (text(""), "not JSON"),
        (text("<html><body>502 Bad Gateway</body></html>"), "not JSON .*<html>"),
        (
            text('{"error": "out of memory", "error_type": "backend"}'),
            "an answer without a list of scores .*out of",
        ),
        (text("[1, 2]"), "an answer without a list of scores"),
        (text("null"), "an answer without a list of scores"),
        (text('{"error": "input is too long"}', 413), "status 413: .*input is too long"),
        (text("no", 401), "It wants a key: set the variable CURATE_SCORER_KEY"),
        (lambda server, body: (200, {"Content-Length": "100000"}, b"x" * 100_000), "more than 50,000 bytes"),
        (lambda server, body: (302, {"Location": "/other"}, b""), "a redirect to /other, which is not followed"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_an_error_with_route_and_status(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reply: Callable[[Server, dict[str, Any]], Reply],
    told: str,
) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER", 50_000)
    scorer = opened(server, tmp_path)
    server.odd = [reply]
    with pytest.raises(BadAnswer, match=told) as caught:
        scores(scorer, ["what about aaa"], ["aaa", "bbb"])
    assert f"POST {server.address}/rerank: status " in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": {"message": "overloaded"}}, "an answer without 'choices': .*overloaded"),
        ({"choices": []}, "an answer without 'choices'"),
        ({"choices": [{"message": {"content": "yes"}}]}, "an answer without log-probabilities"),
        ({"choices": [{"logprobs": None}]}, "an answer without log-probabilities"),
        ({"choices": [{"logprobs": {"content": []}}]}, "an answer without log-probabilities"),
        (chat_answer([("yes", -0.1)]), "log-probabilities of fewer than two tokens"),
        (chat_answer([("yes", 0.7), ("no", -2.0)]), "the log-probability 0.7 of the token 'yes'"),
        (chat_answer([("yes", None), ("no", -2.0)]), "the log-probability None of the token 'yes'"),  # type: ignore[list-item]
    ],
)
def test_a_judges_answer_without_probabilities_is_an_error(
    server: Server, tmp_path: Path, answer: dict[str, Any], told: str
) -> None:
    server.form = "chat"
    scorer = opened(server, tmp_path, "#judge")
    server.odd = [lambda _, body: ok(answer)]
    with pytest.raises(BadAnswer, match=told):
        scores(scorer, ["a"], ["b"])


def test_a_text_that_a_judge_refuses_is_told_with_its_length(server: Server, tmp_path: Path) -> None:
    server.form = "chat"
    scorer = opened(server, tmp_path, "#judge")
    server.odd = [text('{"error": "context"}', 400)]
    with pytest.raises(BadAnswer, match="a refusal of 1 characters of query and 5,000 of passage: is that more"):
        scores(scorer, ["a"], ["b" * 5000])


def test_scores_of_another_model_are_refused(server: Server, tmp_path: Path) -> None:
    server.form = "cohere"
    scorer = opened(server, tmp_path, "#judge")
    server.odd = [lambda _, body: ok({"results": [{"index": 0, "relevance_score": 1.0}], "model": "other"})]
    with pytest.raises(BadAnswer, match="scores of the model 'other' instead of 'judge'"):
        scores(scorer, ["a"], ["b"])


# A server that is busy, slow or gone


def slow(server: Server, body: dict[str, Any]) -> None:
    time.sleep(0.5)


@pytest.mark.parametrize(
    "reply",
    [
        text("rate limit", 429),
        text("starting", 503),
        text("an accident", 500),
        lambda server, body: (429, {"Retry-After": "0"}, b"slow down"),
        lambda server, body: (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"slow down"),
        lambda server, body: (0, {}, b""),
        lambda server, body: (0, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{"),
        lambda server, body: (0, {}, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{"),
        slow,
    ],
)
def test_a_server_that_is_busy_or_breaks_off_is_asked_again(
    server: Server, tmp_path: Path, reply: Callable[[Server, dict[str, Any]], Reply | None]
) -> None:
    scorer = opened(server, tmp_path, timeout=0.3)
    server.odd = [reply, reply]
    assert scores(scorer, *TEXTS) == every(*TEXTS)


def test_a_server_that_stays_busy_ends_the_command_with_what_it_says(server: Server, tmp_path: Path) -> None:
    scorer = opened(server, tmp_path)
    server.odd = [text("try later", 503)] * 100
    with pytest.raises(BadAnswer, match=r"POST http://127.0.0.1:\d+/rerank: status 503: 'try later' \(8 tries\)"):
        scores(scorer, ["a"], ["b"])
    assert len(server.scored()) == client.TRIES


def test_a_long_wait_is_left_to_the_user(server: Server, tmp_path: Path) -> None:
    scorer = opened(server, tmp_path)
    server.odd = [lambda _, body: (429, {"Retry-After": "7200"}, b"daily limit")]
    with pytest.raises(BadAnswer, match=r"'daily limit'. The server asks to wait 7,200 s"):
        scores(scorer, ["a"], ["b"])


def test_no_server_at_all_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadAnswer, match=r"GET http://127.0.0.1:1/info: .*refused. Is the server running"):
        find_source("http://127.0.0.1:1#judge", tmp_path)


def test_an_interruption_does_not_wait_for_answers(server: Server, tmp_path: Path) -> None:
    """The server holds its second answer back until the test is over."""
    over = threading.Event()

    def held(server: Server, body: dict[str, Any]) -> None:
        over.wait(30)

    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    scorer = opened(server, tmp_path, requests=2)
    server.odd = [lambda server, body: None, held, held, held]
    try:
        with pytest.raises(KeyboardInterrupt):
            scorer.score(scorer.prepare(*TEXTS, np.array([(0, 0), (1, 1), (0, 2)])), interrupt)
        assert not over.is_set()
    finally:
        over.set()


# Who it is


def test_the_same_model_behind_another_address_is_the_same_scorer(server: Server, small_set: Workspace) -> None:
    first = denoised(small_set, server.address)
    with serving(Server()) as elsewhere:
        again = denoised(small_set, elsewhere.address)
    assert (again.scorer_id, again.scored_now) == (first.scorer_id, 0)
    server.info["model_sha"] = "def"
    other = denoised(small_set, server.address)
    assert other.scorer_id != first.scorer_id
    assert other.scored_now == first.scored_now > 0


def test_another_model_under_the_same_name_is_refused(server: Server, small_set: Workspace) -> None:
    """A server that reports nothing else is known by the scores of a few fixed pairs."""
    server.form = "cohere"
    denoised(small_set, f"{server.address}#judge")
    server.logit = lambda query, passage: logit(query, passage) + 0.01
    assert denoised(small_set, f"{server.address}#judge").scored_now == 0
    server.logit = lambda query, passage: 3 - logit(query, passage)
    with pytest.raises(BadAnswer, match="the model that the server calls 'judge' is not the one that scored here"):
        denoised(small_set, f"{server.address}#judge")


def test_a_model_that_changes_while_it_scores_is_noticed(server: Server, small_set: Workspace) -> None:
    """Nothing of that shard is kept."""

    def changes(server: Server, body: dict[str, Any]) -> None:
        server.info["model_sha"] = "def"

    server.odd = [changes]
    with pytest.raises(BadAnswer, match="has another model than at the start: model_sha was 'abc' and is 'def'"):
        denoised(small_set, server.address)
    assert small_set.sql("select count(*) as n from scores").rows() == [(0,)]


def test_the_model_is_named_where_there_are_several(server: Server, tmp_path: Path) -> None:
    server.form, server.models = "cohere", [{"id": "judge"}, {"id": "judge-large"}]
    with pytest.raises(BadSettings, match=r"serves 2 models. Name one: .*#MODEL, with one of judge, judge-large"):
        opened(server, tmp_path)
    with pytest.raises(BadSettings, match=r"does not serve 'jugde': did you mean 'judge'"):
        opened(server, tmp_path, "#jugde")
    server.models = [{"id": "judge", "max_model_len": 512, "created": 1}]
    assert opened(server, tmp_path).settings["reported"] == {"max_model_len": 512}
    server.models = []
    with pytest.raises(BadSettings, match=r"does not report which model it serves. Name it"):
        opened(server, tmp_path)


@pytest.mark.parametrize("option", [{"max_length": 128}, {"relevant_class": "yes"}])
def test_options_of_local_models_are_refused(server: Server, tmp_path: Path, option: dict[str, Any]) -> None:
    with pytest.raises(BadSettings, match=r"does not apply to .*: its server decides that"):
        opened(server, tmp_path, **option)


# Commands


def test_denoise_and_augment_go_through_a_server(
    server: Server, make_workspace: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dry run tells the pairs and a measured rate. The decisions follow the server's scores."""
    here = make_workspace(
        PASSAGES, {**QUERIES, "q3": "about ccc"}, qrels=[("q1", "p0")], unlabeled=["q3"], candidates=FOUND
    )
    place = ["-C", str(here.root)]
    assert run(["denoise", "--dry-run", "--scorer", server.address, "--requests", "2", *place]) == 0
    told = capsys.readouterr().out
    assert "rerank route /rerank in the form of text-embeddings-inference, raw scores" in told
    assert "7 pairs" in told
    assert run(["denoise", "--scorer", server.address, "--requests", "2", *place]) == 0
    found = here.sql(
        """
        select query_id, passage_id, logit from scores
        inner join queries using (query_key) inner join passages using (passage_key)
        order by query_id, passage_id
        """
    ).rows()
    assert found == [(q, p, logit(QUERIES[q], PASSAGES[p])) for q, ranked in FOUND.items() for p in sorted(ranked)]
    assert run(["augment", *place]) == 0
    assert "1 of 2 unlabeled queries (50%) got a pseudo-label" in capsys.readouterr().out  # q2 has no label either


def test_a_command_that_failed_goes_on_with_the_shards_that_it_lacks(
    server: Server, make_workspace: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shard holds 3 pairs here. The second one fails, and only its pairs and those after it are sent again."""
    monkeypatch.setattr(scoring, "SMALLEST_SERVED_SHARD", 3)
    queries = {f"q{number}": f"what about {letter * 3}" for number, letter in enumerate("abc")}
    here = make_workspace(PASSAGES, queries, candidates={query: ["p0", "p1", "p2"] for query in queries})
    server.odd = [lambda server, body: None, text("broken", 418)]
    with pytest.raises(BadAnswer, match="status 418"):
        denoised(here, server.address)
    server.asked.clear()
    assert denoised(here, server.address).scored_now == 6
    assert [body["query"] for body in server.scored()] == ["what about bbb", "what about ccc"]


# Secrets


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: Server, small_set: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not into tables, records, logs, errors and reports, even if the server repeats it."""
    monkeypatch.setenv(client.KEY, f" {KEY}\n")
    place = ["-C", str(small_set.root), "-vv", "--log-file", str(small_set.root / "log.txt"), "--debug"]
    server.odd = [text(f"bad key {KEY}", 503), text(f"bad key {KEY}", 401)]
    assert run(["denoise", "--scorer", server.address, *place]) == 4
    assert run(["denoise", "--scorer", server.address, *place]) == 0
    assert run(["report", *place[:2]]) == 0
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, _, headers in server.asked)
    shown = capfd.readouterr()
    assert "bad key [key]" in shown.err
    assert KEY not in shown.out + shown.err
    files = [path for path in small_set.root.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_a_redirect_to_another_host_is_not_followed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.KEY, KEY)
    with serving(Server()) as other:
        scorer = opened(server, tmp_path)
        server.odd = [lambda _, body: (307, {"Location": f"{other.address}/rerank?key={KEY}"}, b"")]
        with pytest.raises(BadAnswer, match=r"a redirect to .*/rerank\?key=\[key\], which is not followed"):
            scores(scorer, ["a"], ["b"])
        assert other.asked == []


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{KEY}@localhost:8080#judge",
        f"http://{KEY}@localhost:8080#judge",
        f"http://localhost:8080/rerank?api_key={KEY}#judge",
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_without_showing_it(
    small_set: Workspace, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["denoise", "--scorer", address, "-C", str(small_set.root)]) == 2
    told = capfd.readouterr()
    assert "CURATE_SCORER_KEY" in told.err
    assert KEY not in told.out + told.err


@pytest.mark.parametrize(
    "address", ["http://", "http://host:port#m", "http://host:99999#m", "http://ho st#m", "https://#m"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadSettings, match="expected http://HOST:PORT#MODEL"):
        Denoise().override(scorer=address)


def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(client.KEY, f"{KEY}\nX-Other: 1")
    with pytest.raises(BadSettings, match="CURATE_SCORER_KEY holds a space or another character") as caught:
        opened(server, tmp_path)
    assert KEY not in str(caught.value)
