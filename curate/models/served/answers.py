"""What a route gives for a few passages of a query, and what was odd about it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

CLIPPED = "probabilities of 0 or 1 became logits of -16.6 or 16.6"
ONE_LISTED = (
    "answers listed only one of yes and no; the other counts as the smallest probability listed, so that these "
    "logits are nearer to 0 than the model's"
)
NONE_LISTED = (
    "answers listed neither yes nor no, or only one of them with less than half of the probability, so that these "
    "pairs have no score"
)
NOT_ASKED = "answers gave yes and no together less than half of the probability"


@dataclass(frozen=True)
class Scores:
    """The logits of a few passages, in their order, and how many of them had which oddity."""

    logits: list[float]
    odd: Counter[str]


class Route(Protocol):
    """A way in which a server scores."""

    @property
    def path(self) -> str:
        """The path of the requests."""

    @property
    def text(self) -> str:
        """What it is, for a terminal."""

    @property
    def per_request(self) -> int:
        """The largest number of passages in a request."""

    @property
    def in_probabilities(self) -> bool:
        """Whether a logit is made of probabilities, so that far logits may differ while they mean the same."""

    def settings(self) -> dict[str, Any]:
        """Return what, besides the model, the logits depend on."""

    def scores(self, query: str, passages: Sequence[str]) -> Scores:
        """Return the logits. Raises BadAnswer for an answer that is not what it should be."""
