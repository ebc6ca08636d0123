"""A served scorer: its source, which asks the server what it is, and the scorer, which sends the pairs to it.

What identifies it is the model, by its name and by what the server reports of it, with the kind of route, what
it gives and its prompt. The address is no part of that: one model is one scorer, wherever it is served. Nor is the
server's software, as the version of torch is no part of a local model. Since a server may report little, the
scores of a few fixed pairs are kept beside the settings. They tell when another model answers to the same name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curate.errors import BadAnswer, BadSettings
from curate.models.scorer_options import ScorerOptions
from curate.models.served.address import Address, parse_address
from curate.models.served.answers import Route, Scores
from curate.models.served.client import Client
from curate.models.served.judge_prompt import JudgePrompt, read_prompt
from curate.models.served.rerank import PASSAGES, QUERY
from curate.models.served.server import Reported, ask_model, find_route
from curate.shards import digest

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Pair = tuple[str, str]
REQUESTS, TIMEOUT = 8, 60.0
# How far the scores of the fixed pairs may move: number formats and batches differ from server to server.
MAY_MOVE, MAY_MOVE_SHARE, MAY_MOVE_PROBABILITY = 0.25, 0.1, 0.02
NOT_COVERED = ("fixed_pairs", "prompt_file")
"""Settings that the fingerprint does not cover."""


@dataclass(frozen=True)
class ServedSpec:
    """How a server scores."""

    route: Route
    reported: Reported
    fixed_pairs: tuple[float | None, ...]
    """The logits of the fixed pairs; None: no score."""
    prompt: JudgePrompt

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        known = ", ".join(f"{key} {value}" for key, value in self.reported.facts.items())
        return f"{self.route.text}; the server reports {known or 'nothing of its model'}"

    def settings(self) -> dict[str, Any]:
        """Return the settings that the table `models` shows. The fingerprint covers all but NOT_COVERED."""
        facts = {"model": self.reported.model, "reported": self.reported.facts, "template": "query, title + text"}
        file = {"prompt_file": self.prompt.file} if "prompt_sha256" in self.route.settings() else {}
        return {**facts, **self.route.settings(), **file, "fixed_pairs": list(self.fixed_pairs)}

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the settings of a model in the table `models` are these.

        Raises BadAnswer if they are, but the model that scored with them was another one.
        """
        if _covered(settings) != _covered(self.settings()):
            return False
        if moved := self.moved(settings["fixed_pairs"]):
            raise BadAnswer(
                f"the model that the server calls {self.reported.model!r} is not the one that scored here under "
                f"this name: {moved}. Serve one of them under another name, so that their scores do not mix"
            )
        return True

    def moved(self, before: Sequence[float | None]) -> str:
        """Return how the logits of the fixed pairs differ from those of before; empty if they are alike."""
        known = [value for value in before if value is not None]
        allowed = MAY_MOVE + MAY_MOVE_SHARE * (max(known, default=0.0) - min(known, default=0.0))
        for then, now in zip(before, self.fixed_pairs, strict=True):
            if then is None or now is None:
                if then is not now:
                    return f"a fixed pair had the score {then} and has {now} now"
            elif abs(then - now) > allowed and not (
                self.route.in_probabilities and abs(_sigmoid(then) - _sigmoid(now)) < MAY_MOVE_PROBABILITY
            ):
                return f"a fixed pair had the logit {then:.4g} and has {now:.4g} now"
        return ""


class ServedScorer:
    """A scorer behind an address. It satisfies `PairScorer`."""

    def __init__(self, source: "ServedSource") -> None:
        """Store the source. Nothing is sent yet."""
        self.source, self.client, self.route = source, source.client, source.spec.route
        self.settings = source.spec.settings()
        self.fingerprint = source.fingerprint(self.settings)
        self.scorer_id = source.scorer_id(self.fingerprint)
        self.requests = source.requests
        self._odd: Counter[str] = Counter()
        self._scored = 0

    def prepare(self, queries: Sequence[str], passages: Sequence[str], pairs: Ints) -> list[Pair]:
        """Return the texts of `pairs` (n x 2: index into queries, index into passages)."""
        return [(queries[query], passages[passage]) for query, passage in pairs.tolist()]

    def score(self, rows: Sequence[Pair], advance: Callable[[int], None] = lambda _count: None) -> Floats:
        """Return the logits of pairs as float32, in order. A pair with an empty text, or without answer, has NaN.

        Raises BadAnswer if an answer is not what it should be, or if the server has another model afterwards.
        """
        logits = np.full(len(rows), np.nan, np.float32)
        parts = _parts(rows, self.route.per_request)
        self.client.start()
        with ThreadPoolExecutor(self.requests) as pool:
            try:
                work = {pool.submit(self._scores, [rows[at] for at in part]): part for part in parts}
                left: set[Future[Scores]] = set(work)
                while left:
                    done, left = wait(left, return_when=FIRST_COMPLETED)
                    for future in done:
                        scores = future.result()
                        logits[work[future]] = scores.logits
                        self._odd += scores.odd
                        self._scored += len(work[future])
                        advance(len(work[future]))
            except BaseException:
                self.client.stop()
                pool.shutdown(cancel_futures=True)
                raise
        self._refuse_if_changed()
        return logits

    def remarks(self) -> list[str]:
        """Return what was odd about the scores of this process, as sentences without their end."""
        return [f"{count:,} of {self._scored:,} {told}" for told, count in sorted(self._odd.items())]

    def _scores(self, rows: list[Pair]) -> Scores:
        return self.route.scores(rows[0][0], [passage for _, passage in rows])

    def _refuse_if_changed(self) -> None:
        spec = self.source.spec
        now = ServedSpec(self.route, ask_model(self.client), _fixed_pairs(self.route), spec.prompt)
        changed = [
            f"{key} was {then!r} and is {now.reported.facts.get(key)!r}"
            for key, then in spec.reported.facts.items()
            if now.reported.facts.get(key) != then
        ]
        moved = now.moved(spec.fixed_pairs)
        if changed or moved:
            raise BadAnswer(
                f"{self.client.address.text} has another model than at the start: "
                f"{'; '.join([*changed, *([moved] if moved else [])])}. Nothing of this shard was kept"
            )


@dataclass(frozen=True)
class ServedSource:
    """A server that was asked what it is. It satisfies `Source`."""

    address: Address
    client: Client
    spec: ServedSpec
    options: ScorerOptions
    requests: int

    @property
    def name(self) -> str:
        """The address with the model."""
        return self.address.text

    def path(self, root: Path) -> str:  # noqa: ARG002
        """Return the address with the model."""
        return self.address.text

    def fingerprint(self, settings: Mapping[str, Any]) -> str:
        """Return the sha256 of the settings that determine the logits."""
        return digest(_covered(settings))

    def scorer_id(self, fingerprint: str) -> str:
        """Return the model's name with the first 8 digits of the fingerprint."""
        name = self.spec.reported.model.rstrip("/").rpartition("/")[2]
        return f"{name}-{fingerprint[:8]}"

    def open(self) -> ServedScorer:
        """Return the scorer. The server has its model loaded already."""
        return ServedScorer(self)


def find_served(name: str, root: Path, options: ScorerOptions) -> ServedSource:
    """Return the source at an address, after asking the server what it is.

    Raises BadAnswer if it does not answer as it should, and BadSettings for an address that is none, and for
    options that only a local model has.
    """
    address = parse_address(name)
    for key in ("max_length", "relevant_class", "instruction"):
        if getattr(options, key) is not None:
            raise BadSettings(
                f"{key} does not apply to {address.text}: its server decides that. Leave out "
                f"--{key.replace('_', '-')}, or remove it from [denoise] in curate.toml"
            )
    if options.backend != "torch":
        raise BadSettings(
            f"backend = {options.backend} does not apply to {address.text}: its server computes it. Leave out "
            "--backend, or remove it from [denoise] in curate.toml"
        )
    client = Client(address, timeout=options.timeout or TIMEOUT)
    reported, prompt = ask_model(client), read_prompt(root, options.prompt)
    route = find_route(client, reported, prompt)
    spec = ServedSpec(route, reported, _fixed_pairs(route), prompt)
    kept = ScorerOptions(prompt=prompt.file if "prompt_sha256" in route.settings() else None)
    return ServedSource(address, client, spec, kept, options.requests or REQUESTS)


def _fixed_pairs(route: Route) -> tuple[float | None, ...]:
    scores = [
        logit
        for at in range(0, len(PASSAGES), route.per_request)
        for logit in route.scores(QUERY, PASSAGES[at : at + route.per_request]).logits
    ]
    if all(np.isnan(scores)):
        raise BadAnswer(
            f"{route.text}: its answers begin with neither yes nor no. Does the model think first? Turn that off, "
            "or change the prompt"
        )
    return tuple(None if np.isnan(score) else round(score, 4) for score in scores)


def _parts(rows: Sequence[Pair], most: int) -> list[list[int]]:
    """Return the positions of the pairs of each request: up to `most` of one query, none with an empty text."""
    parts: list[list[int]] = []
    for at, (query, passage) in enumerate(rows):
        if not (query.strip() and passage.strip()):
            continue
        if parts and len(parts[-1]) < most and rows[parts[-1][0]][0] == query:
            parts[-1].append(at)
        else:
            parts.append([at])
    return parts


def _covered(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in NOT_COVERED}


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.float64(logit))))
