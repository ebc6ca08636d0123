"""The chat route of OpenAI's form: a language model judges a pair, by the probabilities of yes and no.

The logit is the logarithm of the probability of yes less that of no, each summed over the tokens that spell it. It
is read off the first token of the answer, of which the server lists the most probable ones.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.errors import BadAnswer
from curate.models.served.answers import NONE_LISTED, NOT_ASKED, ONE_LISTED, Scores
from curate.models.served.client import Answer, Client
from curate.models.served.judge_prompt import JudgePrompt

LISTED = (20, 5)
"""How many tokens a server is asked to list: what most of them allow, and what some do."""
AROUND = " \t\r\n▁Ġ*_`\"'.,:!<>()[]{}"
Listed = tuple[str, float]
"""A token and its log-probability."""
IMPOSSIBLE = -9000.0  # OpenAI writes -9999 for a token that is not among the most probable


@dataclass(frozen=True)
class Chat:
    """A chat route that was found to list the log-probabilities of yes and no."""

    client: Client
    path: str
    model: str
    prompt: JudgePrompt
    listed: int
    per_request: int = 1

    @property
    def text(self) -> str:
        """What it is, for a terminal."""
        return f"chat route {self.path}, yes against no by the prompt in {self.prompt.file}"

    @property
    def in_probabilities(self) -> bool:
        """Whether a logit is made of probabilities: it is."""
        return True

    def settings(self) -> dict[str, Any]:
        """Return the prompt, and how the answer is read."""
        reading = {"gives": "yes against no", "top_logprobs": self.listed}
        return {"route": "chat", "prompt_sha256": self.prompt.sha256, **reading}

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        """Return the logits of the passages, one request each. Raises BadAnswer for an answer without a list."""
        odd: Counter[str] = Counter()
        logits = [self._logit(query, passage, odd) for passage in passages]
        return Scores(logits, odd)

    def answer(self, query: str, passage: str, *, patient: bool = True) -> Answer:
        """Return the server's answer as it is; `patient`: status 500 is tried again."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt.filled(query, passage)}],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": self.listed,
        }
        return self.client.post(self.path, body, also_busy=frozenset({500} if patient else ()))

    def _logit(self, query: str, passage: str, odd: Counter[str]) -> float:
        answer = self.answer(query, passage)
        if answer.status in (400, 413, 422):
            length = f"{len(query):,} characters of query and {len(passage):,} of passage"
            raise BadAnswer(answer.problem(f"a refusal of {length}: is that more than its context takes?"))
        tokens = listed_tokens(answer)
        yes, no = (_together(tokens, word) for word in ("yes", "no"))
        mass = sum(math.exp(one) for one in (yes, no) if one is not None)
        if mass < 0.5:
            if yes is None or no is None:
                odd[NONE_LISTED] += 1
                return math.nan
            odd[NOT_ASKED] += 1
        if yes is None or no is None:
            odd[ONE_LISTED] += 1
            least = min(value for _, value in tokens)
            yes, no = (least if one is None else one for one in (yes, no))
        return yes - no


def listed_tokens(answer: Answer) -> list[Listed]:
    """Return the tokens that could have been the first of the answer, as the server lists them.

    Raises BadAnswer if the answer has no such list, or a log-probability that is none.
    """
    try:
        choice = answer.json["choices"][0]
    except (KeyError, IndexError, TypeError) as error:
        raise BadAnswer(answer.problem("an answer without 'choices'")) from error
    try:
        first = choice["logprobs"]["content"][0]
        rows = [(str(row["token"]), row["logprob"]) for row in first["top_logprobs"]]
        if first["token"] not in [token for token, _ in rows]:
            rows.append((str(first["token"]), first["logprob"]))
    except (KeyError, IndexError, TypeError) as error:
        raise BadAnswer(answer.problem("an answer without log-probabilities ('logprobs')")) from error
    for token, value in rows:
        if not isinstance(value, int | float) or isinstance(value, bool) or value > 1e-3:
            raise BadAnswer(answer.problem(f"the log-probability {value!r} of the token {token!r}"))
    possible = sorted({(token, float(value)) for token, value in rows if value > IMPOSSIBLE})
    if len(possible) < 2:
        raise BadAnswer(answer.problem("log-probabilities of fewer than two tokens"))
    return possible


def find_chat(client: Client, path: str, model: str, prompt: JudgePrompt) -> Chat | Answer:
    """Return the route if it lists log-probabilities; else the answer by which it refused. Raises BadAnswer."""
    for listed in LISTED:
        route = Chat(client, path, model, prompt, listed)
        answer = route.answer("what is the capital of France?", "Paris.", patient=False)
        if answer.status == 200:
            listed_tokens(answer)
            return route
        if answer.status not in (400, 422):
            break
    return answer


def _together(tokens: list[Listed], word: str) -> float | None:
    """Return the logarithm of the summed probabilities of the tokens that spell `word`; None without any."""
    found = [value for token, value in tokens if token.strip(AROUND).casefold() == word]
    top = max(found, default=None)
    return None if top is None else top + math.log(sum(math.exp(value - top) for value in found))
