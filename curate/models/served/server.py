"""What a server is: which routes it has, and what it reports of its model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from curate.errors import BadAnswer, BadSettings
from curate.models.served.address import Address
from curate.models.served.answers import Route
from curate.models.served.chat import find_chat
from curate.models.served.client import Answer, Client, Unreachable
from curate.models.served.judge_prompt import JudgePrompt
from curate.models.served.rerank import FORMS, PER_REQUEST, find_rerank
from curate.nearest import nearest

RERANK, CHAT = "/rerank", "/chat/completions"
BEFORE = ("", "/v1", "/v2")
"""What stands before a route on servers that were given by their host alone."""
# What servers report of a model and keep as long as they serve it. Times and queues, which change, are left out.
OF_INFO = ("model_id", "model_sha", "model_dtype", "max_input_length")
OF_LIST = ("root", "parent", "max_model_len")
OF_META = ("n_params", "n_vocab", "size", "ftype")  # llama.cpp


@dataclass(frozen=True)
class Reported:
    """What a server reports of its model."""

    model: str
    """The name by which it is asked for."""
    facts: dict[str, Any]
    """Empty: it reports nothing."""
    per_request: int = PER_REQUEST
    """The most passages that it takes in a request."""


def ask_model(client: Client) -> Reported:
    """Return what the server reports of the model in the address, or of its only one.

    text-embeddings-inference does so at /info, the others in the list of OpenAI's form. Raises BadSettings if it
    serves other models, or several and the address names none.
    """
    before, wanted = _before(client.address.path), client.address.model
    info = _json(client.get(f"{before}/info"))
    if isinstance(info, dict) and isinstance(info.get("model_id"), str):
        names = dict.fromkeys(str(info[key]) for key in ("served_model_name", "model_id") if info.get(key))
        most = info.get("max_client_batch_size")
        per_request = min(most, PER_REQUEST) if isinstance(most, int) and most > 0 else PER_REQUEST
        model = _named(client.address, wanted or info["model_id"], list(names))
        return Reported(model, _facts(info, OF_INFO), per_request)
    for path in dict.fromkeys((f"{before}/models", f"{before}/v1/models")):
        listed = _json(client.get(path))
        rows = listed.get("data") if isinstance(listed, dict) else None
        if isinstance(rows, list) and (named := {str(row["id"]): row for row in rows if _has_id(row)}):
            if wanted is None and len(named) > 1:
                raise BadSettings(
                    f"{client.address.origin} serves {len(named)} models. Name one: "
                    f"{client.address.text}#MODEL, with one of {', '.join(list(named)[:8])}"
                )
            model = _named(client.address, wanted or next(iter(named)), list(named))
            return Reported(model, _facts(named[model], OF_LIST) | _facts(named[model].get("meta"), OF_META))
    if wanted is None:
        raise BadSettings(
            f"{client.address.origin} does not report which model it serves. Name it: {client.address.text}#MODEL"
        )
    return Reported(wanted, {})


def find_route(client: Client, reported: Reported, prompt: JudgePrompt) -> Route:
    """Return the route at the address that answers, found by small requests: rerank, or else chat.

    Raises BadAnswer, which tells what each route answered, if none does.
    """
    refusals: dict[str, None] = {}
    for trial in _trials(client, reported, prompt):
        try:
            found = trial()
        except Unreachable:
            raise
        except BadAnswer as error:
            refusals[str(error)] = None
            continue
        if not isinstance(found, Answer):
            return found
        if found.status in (401, 403):
            raise BadAnswer(found.refusal())
        refusals[found.problem()] = None
    raise BadAnswer(
        f"{client.address.text} has no rerank route that answers, and no chat route with log-probabilities. "
        f"Tried: {'; '.join(refusals)}"
    )


def _trials(client: Client, reported: Reported, prompt: JudgePrompt) -> Iterator[Callable[[], Route | Answer]]:
    model = reported.model
    for path in _paths(client.address.path, RERANK):
        for form in FORMS:
            yield partial(find_rerank, client, path, form, model, reported.per_request)
    for path in _paths(client.address.path, CHAT):
        yield partial(find_chat, client, path, model, prompt)


def _paths(path: str, route: str) -> list[str]:
    """Return where a route may be: only at `path` if that ends with the name of a route, else below it."""
    if path.endswith((RERANK, CHAT)):
        return [path] if path.endswith(route) else []
    return [f"{path}{before}{route}" for before in (BEFORE if not path else ("",))]


def _before(path: str) -> str:
    """Return `path` without the name of a route."""
    return path.removesuffix(RERANK).removesuffix(CHAT)


def _named(address: Address, wanted: str, names: list[str]) -> str:
    if wanted not in names:
        raise BadSettings(
            f"{address.origin} does not serve '{wanted}': {nearest(wanted, names)} "
            f"It serves {', '.join(names[:8])}"
        )
    return wanted


def _facts(row: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: row[key] for key in keys if row.get(key) is not None} if isinstance(row, dict) else {}


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"] != ""


def _json(answer: Answer) -> Any:
    """Return the JSON of an answer, or None: a server need not report anything. Raises BadAnswer for 401, 403."""
    if answer.status in (401, 403):
        raise BadAnswer(answer.refusal())
    try:
        return answer.json
    except BadAnswer:
        return None
