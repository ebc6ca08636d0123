"""A collection about the weather, on which the trainings are tested."""

from collections.abc import Callable

from curate import Workspace

WORDS = ["rain", "snow", "hail", "wind", "fog", "sun", "frost", "storm"]
PASSAGES = {f"p{n}": f"{WORDS[n % 8]} number {n} falls on {WORDS[n // 8]} day" for n in range(32)}
QUERIES = {f"q{n}": f"when does {WORDS[n]} fall" for n in range(8)}


def weather(make_workspace: Callable[..., Workspace]) -> Workspace:
    """Return a workspace with eight train queries with one positive each. The run found all passages for each."""
    ranked = {query: [f"p{(n + shift) % 32}" for shift in range(32)] for n, query in enumerate(QUERIES)}
    qrels = [(f"q{n}", f"p{n}") for n in range(8)]
    return make_workspace(PASSAGES, QUERIES, qrels=qrels, candidates=ranked)
