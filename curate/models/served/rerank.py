"""The rerank route, in two forms: that of text-embeddings-inference, and that of Cohere, Infinity and vLLM."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from curate.errors import BadAnswer
from curate.models.served.answers import CLIPPED, Scores
from curate.models.served.client import Answer, Client

Given = Literal["raw scores", "probabilities"]
PER_REQUEST = 32  # what text-embeddings-inference takes unless it is told otherwise
NEAREST = 2.0**-24  # half the distance from 1 to the float32 below it
QUERY = "what is the capital of France?"
PASSAGES = (
    "Paris is the capital and the largest city of France.",
    "France is a country in Europe. Its capital is Paris.",
    "Lyon is a large city in the east of France.",
    "what is the capital of France?",
    "Bananas are rich in potassium.",
    "The train leaves at nine.",
)
SAME = 1e-5


@dataclass(frozen=True)
class Form:
    """How a rerank route is asked, and how it answers."""

    name: str
    passages: str
    """The key of the passages in a request."""
    score: str
    """The key of a score in an answer."""
    wrapped: bool
    """Whether the answer's list is below the key `results`."""

    def body(self, model: str, query: str, passages: Sequence[str]) -> dict[str, Any]:
        """Return what every server of this form understands."""
        if not self.wrapped:
            return {"query": query, "texts": list(passages), "truncate": True}
        return {"model": model, "query": query, "documents": list(passages), "top_n": len(passages)}

    def wishes(self, wanted: Given) -> dict[str, Any]:
        """Return what asks for raw scores or probabilities; in Cohere's form a server may not know these keys."""
        raw = wanted == "raw scores"
        if not self.wrapped:
            return {"raw_scores": raw}
        own = {"raw_scores": raw, "use_activation": not raw}  # of Infinity, of vLLM
        return {**own, "truncate_prompt_tokens": -1}


TEI = Form("text-embeddings-inference", "texts", "score", wrapped=False)
COHERE = Form("Cohere", "documents", "relevance_score", wrapped=True)
FORMS = (TEI, COHERE)


@dataclass(frozen=True)
class Rerank:
    """A rerank route that was found to answer."""

    client: Client
    path: str
    form: Form
    model: str
    wishes: dict[str, Any]
    """What is asked for in each request besides the passages."""
    gives: Given
    """What the server gives. Whether the sigmoid of a raw score is a probability, it does not say."""
    per_request: int = PER_REQUEST

    @property
    def text(self) -> str:
        """What it is, for a terminal."""
        taken = ", of which the logits are taken" if self.in_probabilities else ""
        return f"rerank route {self.path} in the form of {self.form.name}, {self.gives}{taken}"

    @property
    def in_probabilities(self) -> bool:
        """Whether the server gives probabilities."""
        return self.gives == "probabilities"

    def settings(self) -> dict[str, Any]:
        """Return what the server gives."""
        return {"route": "rerank", "gives": self.gives}

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        """Return the logits of the passages. Raises BadAnswer for an answer that is not what it should be."""
        values = self.values(query, passages)
        if not self.in_probabilities:
            return Scores(values, Counter())
        outside = next((value for value in values if not 0 <= value <= 1), None)
        if outside is not None:
            raise BadAnswer(
                f"POST {self.client.address.origin}{self.path}: a score of {outside:.6g} from a server whose "
                "first scores all lay between 0 and 1, and were taken for probabilities"
            )
        inside = [min(max(value, NEAREST), 1 - NEAREST) for value in values]
        clipped = sum(value != moved for value, moved in zip(values, inside, strict=True))
        odd = Counter({CLIPPED: clipped} if clipped else {})
        return Scores([math.log(value) - math.log1p(-value) for value in inside], odd)

    def values(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return what the server gives, in the order of the passages. Raises BadAnswer."""
        return self.checked(self.answer(query, passages), len(passages))

    def answer(self, query: str, passages: Sequence[str]) -> Answer:
        """Return the server's answer as it is. Status 500 is tried again: for a route that works it passes."""
        body = self.form.body(self.model, query, passages) | self.wishes
        return self.client.post(self.path, body, also_busy=frozenset({500}))

    def checked(self, answer: Answer, count: int) -> list[float]:
        """Return the scores of an answer, sorted by index: one for each passage, each a finite number."""
        found = answer.json
        if self.form.wrapped:
            named = found.get("model") if isinstance(found, dict) else None
            if named is not None and named != self.model:
                raise BadAnswer(answer.problem(f"scores of the model {named!r} instead of {self.model!r}"))
            found = found.get("results") if isinstance(found, dict) else None
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            where = "below 'results'" if self.form.wrapped else "at its top"
            raise BadAnswer(answer.problem(f"an answer without a list of scores {where}"))
        scores: dict[int, float] = {}
        for row in found:
            index, score = row.get("index"), row.get(self.form.score)
            if not _is_whole(index) or not 0 <= index < count:
                raise BadAnswer(answer.problem(f"index {index!r}, but {count} passages were asked about"))
            if index in scores:
                raise BadAnswer(answer.problem(f"two scores for passage {index}"))
            if not _is_number(score):
                raise BadAnswer(answer.problem(f"the score {score!r} of passage {index}, no finite number"))
            scores[index] = float(score)
        if len(scores) < count:
            missing = next(index for index in range(count) if index not in scores)
            raise BadAnswer(answer.problem(f"{len(scores)} scores for {count} passages, none for {missing}"))
        return [scores[index] for index in range(count)]


def find_rerank(client: Client, path: str, form: Form, model: str, per_request: int) -> Rerank | Answer:
    """Return the route if it answers in `form`; else the answer by which it refused.

    What it gives is found by asking for raw scores and for probabilities. A server for which that makes no
    difference gives probabilities if all that it gives lies between 0 and 1.
    """
    raw = Rerank(client, path, form, model, form.wishes("raw scores"), "raw scores", per_request)
    answer = _first_answer(raw)
    if answer.status in (400, 422) and form.wrapped:  # a strict server
        raw = replace(raw, wishes={})
        answer = _first_answer(raw)
    if answer.status != 200:
        return answer
    values = raw.checked(answer, len(PASSAGES[:per_request]))
    if raw.wishes:
        normal = replace(raw, wishes=form.wishes("probabilities")).values(QUERY, PASSAGES[:per_request])
        if any(abs(one - other) > SAME for one, other in zip(values, normal, strict=True)):
            return raw
    return replace(raw, gives="probabilities") if all(0 <= value <= 1 for value in values) else raw


def _first_answer(route: Rerank) -> Answer:
    body = route.form.body(route.model, QUERY, PASSAGES[: route.per_request])
    return route.client.post(route.path, body | route.wishes)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Return whether a value is a number that float32 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 3e38
