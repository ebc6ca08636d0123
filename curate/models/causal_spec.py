"""How a causal language model scores a pair: the text around query and passage, and the tokens for yes and no.

Rerankers of this kind say it in their files: a chat template with the roles query and document, and a module
LogitScore. Any other causal language model is one if the user says what it is to judge (`instruction`). It is
then asked as Qwen3-Reranker is, in the words of its card, through its own chat template.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import BadInput, BadSettings
from curate.models.embedding_spec import default_prompt
from curate.models.model_kind import CAUSAL, SENTENCE_TRANSFORMERS_JSON, modules_of, read_json, transformer_of
from curate.models.pretrained import load_tokenizer
from curate.models.scale import SAID, Scale, activation_scale
from curate.models.scorer_spec import token_limit

SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
USER = "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {passage}"
EXAMPLE = "'Given a web search query, retrieve relevant passages that answer the query'"
QUERY, PASSAGE = "QueryStandsHere", "PassageStandsHere"  # what no template has of itself
ROLES = ("query", "document")
NOBODY = ("someone", "anyone")  # roles that no template gives a place of their own
GENERATION, LOGITS = "text-generation", "causal_logits"
NOT_APPLIED = ("query_expansion", "config_kwargs", "config_args", "processor_kwargs", "tokenizer_args")


@dataclass(frozen=True)
class CausalSpec:
    """Everything except the weights, the number format and the machine that a logit depends on."""

    max_length: int
    """Tokens of a pair, with the text around it."""
    opening: str
    """The text before the query."""
    middle: str
    """The text between query and passage."""
    closing: str
    """The text behind the passage, which ends where the answer begins."""
    yes: int
    """The token for yes. Its logit is the score, less that of `no`."""
    no: int | None
    """The token for no; None: the logit for yes is the score."""
    instruction: str | None = None
    """What is judged, in words; None: as the template says of itself."""
    transformer: str = ""
    """Folder of the transformer, relative to the model's folder."""
    lower_case: bool | None = None
    """Whether texts are lower-cased before the tokenizer reads them."""
    scale: Scale = "unknown"
    """What the files say of the logits. It changes none of them."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that the table `models` shows. The fingerprint covers all but the scale."""
        settings = {
            "max_length": self.max_length,
            "pair": [self.opening, self.middle, self.closing],
            "answers": self.answers,
            "instruction": self.instruction,
            "lower_case": self.lower_case,
        }
        return {**{name: value for name, value in settings.items() if value is not None}, "scale": self.scale}

    def is_in(self, settings: Mapping[str, Any]) -> bool:
        """Return whether the settings of a model in the table `models` are these."""
        names = ("max_length", "pair", "answers", "instruction", "lower_case")
        return all(settings.get(name) == self.settings().get(name) for name in names)

    @property
    def answers(self) -> list[int]:
        """The tokens whose logits are needed."""
        return [self.yes] if self.no is None else [self.yes, self.no]

    @property
    def text(self) -> str:
        """What was found, for a terminal."""
        asked = f"instruction {self.instruction!r}" if self.instruction else "the instruction of its template"
        answer = "yes" if self.no is None else "yes less its no"
        return (
            f"a causal language model's {answer}, {self.max_length} tokens of query, passage and template "
            f"together, {asked}; {SAID[self.scale]}"
        )


def read_causal_spec(
    folder: Path, max_length: int | None, instruction: str | None, relevant_class: str | None = None
) -> CausalSpec | None:
    """Return how the causal language model in `folder` scores; None if its files ask for what curate does not do.

    Raises BadInput for one that is no reranker by its files if no `instruction` is given, and BadSettings for an
    instruction or a length that does not suit it.
    """
    place = folder / transformer_of(folder)
    module = read_json(next(iter(sorted(place.glob("sentence_*_config.json"))), place / "none"), {})
    asked = module.get("processing_kwargs") or {}
    if any(module.get(key) for key in NOT_APPLIED) or set(asked) - {"chat_template"}:
        return None
    if module.get("transformer_task", GENERATION) != GENERATION or not _ends_in_answers(folder):
        return None
    if "message" not in module.get("modality_config", {"message": {}}):
        return None
    tokenizer = load_tokenizer(place, lower_case=bool(module.get("do_lower_case")))
    config = read_json(folder / SENTENCE_TRANSFORMERS_JSON, {})
    own = default_prompt(folder / SENTENCE_TRANSFORMERS_JSON, config) or None
    structured = (module.get("modality_config") or {}).get("message", {}).get("format") == "structured"
    kwargs = {
        name: value for name, value in (asked.get("chat_template") or {}).items() if name != "restore_suffix"
    }
    parts = _by_roles(folder, tokenizer, instruction or own, structured, kwargs)
    if parts is None and modules_of(folder):
        return None
    if parts is None and instruction is None:
        raise BadInput(
            f"{folder} is {CAUSAL}, and its files do not say how it judges a pair. If it answers yes or no, as "
            f"Qwen3-Reranker does, say what it judges: --instruction {EXAMPLE}"
        )
    if relevant_class is not None:
        raise BadSettings(f"{folder.name} answers yes or no, so --relevant-class has nothing to choose from")
    yes, no = _answers(folder, tokenizer)
    opening, middle, closing = parts or _as_qwen(folder, tokenizer, instruction or "")
    return CausalSpec(
        max_length=token_limit(place, max_length, module.get("max_seq_length")),
        opening=opening,
        middle=middle,
        closing=closing,
        yes=yes,
        no=no,
        instruction=instruction or own,
        transformer=transformer_of(folder),
        lower_case=bool(module.get("do_lower_case")) or None,
        scale=activation_scale(folder, transformer_of(folder)),
    )


def _ends_in_answers(folder: Path) -> bool:
    """Return whether nothing but a module LogitScore stands behind the transformer, which may stand alone."""
    behind = [
        (full.rpartition(".")[2], read_json(folder / path / "config.json", {}).get("module_input_name", LOGITS))
        for full, path in modules_of(folder)[1:]
    ]
    return behind in ([], [("LogitScore", LOGITS)])


Parts = tuple[str, str, str]


def _by_roles(
    folder: Path, tokenizer: Any, instruction: str | None, structured: bool, kwargs: Mapping[str, Any]
) -> Parts | None:
    """Return the texts around query and passage by a template that has roles for them; None if it has not."""

    def shown(told: str | None, roles: tuple[str, str]) -> str | None:
        said = [("system", told)] if told else []
        messages: list[dict[str, Any]] = [
            {"role": role, "content": [{"type": "text", "text": text}] if structured else text}
            for role, text in (*said, *zip(roles, (QUERY, PASSAGE), strict=True))
        ]
        return _rendered(tokenizer, messages, kwargs)

    found = _split(shown(instruction, ROLES))
    others = shown(instruction, NOBODY)
    if found is None or (not modules_of(folder) and _prints_any_role(shown(instruction, ROLES), others)):
        return None
    if instruction and found == _split(shown(None, ROLES)):
        raise BadSettings(f"the chat template of {folder} has no place for an instruction")
    return found


def _prints_any_role(own: str | None, others: str | None) -> bool:
    """Return whether a conversation of NOBODY looks as one of ROLES: the template has no place for the latter."""
    if own is None or others is None:
        return False
    own, others = own.lower(), others.lower()
    for role, name in zip(ROLES, NOBODY, strict=True):
        own, others = own.replace(role, name), others.replace(role, name)
    return own == others


def _as_qwen(folder: Path, tokenizer: Any, instruction: str) -> Parts:
    """Return the texts around query and passage as in the card of Qwen3-Reranker, by the model's own template."""
    user = USER.format(instruction=instruction, query=QUERY, passage=PASSAGE)
    kwargs = {"add_generation_prompt": True, "enable_thinking": False}
    system = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    joined = [{"role": "user", "content": f"{SYSTEM}\n\n{user}"}]  # some templates refuse the role system
    rendered = _rendered(tokenizer, system, kwargs)
    if rendered is None or SYSTEM not in rendered:
        rendered = _rendered(tokenizer, joined, kwargs)
    found = _split(rendered)
    if found is None:
        raise BadInput(f"{folder} has no chat template that shows a query and a passage, so it cannot be asked")
    return found


def _rendered(tokenizer: Any, messages: list[dict[str, Any]], kwargs: Mapping[str, Any]) -> str | None:
    """Return the text of a conversation; None if the model has no template, or one that refuses it."""
    from jinja2.exceptions import TemplateError

    if not isinstance(tokenizer.chat_template, str):
        return None
    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, **kwargs))
    except (TemplateError, TypeError, ValueError, LookupError):
        return None


def _split(rendered: str | None) -> Parts | None:
    """Return the texts before, between and behind query and passage, if they stand there once, in this order."""
    if rendered is None or rendered.count(QUERY) != 1 or rendered.count(PASSAGE) != 1:
        return None
    opening, _, rest = rendered.partition(QUERY)
    middle, passage, closing = rest.partition(PASSAGE)
    return (opening, middle, closing) if passage else None


def _answers(folder: Path, tokenizer: Any) -> tuple[int, int | None]:
    """Return the tokens for yes and no. Raises BadInput if the files name none and the words are no tokens."""
    for _, path in modules_of(folder)[1:]:
        config = read_json(folder / path / "config.json", {})
        yes, no = config.get("true_token_id"), config.get("false_token_id")
        if type(yes) is not int or type(no) not in (int, type(None)):
            raise BadInput(
                f"{folder / path / 'config.json'} does not name the tokens (true_token_id, false_token_id)"
            )
        return yes, no
    ids = [tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no")]
    if any(number is None or number == tokenizer.unk_token_id for number in ids):
        raise BadInput(f"{folder} has no tokens 'yes' and 'no', so it cannot answer by one of them")
    return ids[0], ids[1]
