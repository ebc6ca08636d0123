"""What a user may say about a scorer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScorerOptions:
    """What a user may say about a scorer. None: as its files say, or as its server decides."""

    max_length: int | None = None
    """Tokens of query and passage together."""
    relevant_class: str | None = None
    """The class that means relevant, by its name or number."""
    instruction: str | None = None
    """What a causal language model judges, in words."""
    prompt: str | None = None
    """The file with the prompt of a judge behind a chat route, in the workspace."""
    requests: int | None = None
    """Requests to a served scorer at the same time."""
    timeout: float | None = None
    """Seconds for one answer of a served scorer."""
    backend: str = "torch"
    """What computes a local model: `torch`, `openvino` or `openvino-int8`."""
