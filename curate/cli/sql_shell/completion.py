"""What can follow the text before the cursor: a function of the text and of the names that there are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from curate.cli.sql_shell.tokens import Token, tokens
from curate.cli.sql_shell.vocabulary import Vocabulary

_KEYWORDS = (
    "select from where group by order limit offset having with as join left right inner outer full cross semi "
    "anti asof lateral on using union all intersect except distinct values and or not in exists between like "
    "ilike is null true false case when then else end cast over partition rows range filter qualify window "
    "asc desc nulls first last exclude recursive materialized unnest pivot unpivot sample interval explain "
    "analyze describe summarize show"
)
_FUNCTIONS = (
    "abs any_value arg_max arg_min array_to_string avg ceil coalesce concat contains corr count exp first "
    "floor greatest histogram last least len length list list_contains ln lower max md5 median min mode "
    "nullif quantile_cont regexp_extract regexp_matches replace round row_number rank dense_rank lag lead "
    "split_part sqrt starts_with stddev string_agg substr sum trim unnest upper"
)
KEYWORDS, FUNCTIONS = _KEYWORDS.split(), _FUNCTIONS.split()
BEFORE_RELATIONS = ("from", "join", "describe", "summarize")
BEGINNINGS = ("select", "from", "with", "explain", "describe", "summarize", "show", "values")


@dataclass(frozen=True)
class Offer:
    """A completion: the text that takes the place of the last letters."""

    text: str
    about: str = ""
    letters: int = 0
    """How many letters before the cursor it takes the place of."""


def in_sql(before: str, after: str, known: Vocabulary) -> list[Offer]:
    """Return the offers for a statement; `before` and `after` are the text on both sides of the cursor."""
    left = _statement([*tokens(before)][::-1])[::-1]
    right = _statement(tokens(after))
    last = left[-1] if left else Token("space", "")
    if last.kind == "comment" and (last.is_open or last.value.startswith("--")):
        return []
    if last.kind == "text" and last.is_open:
        return _values(left[:-1], last.value[1:], right, known)
    prefix = last.value if last.kind == "word" else ""
    earlier = _meaningful(left[:-1] if prefix else left)
    if earlier and earlier[-1].value == "." and earlier[-1].kind == "sign":
        owner = earlier[-2].value.strip('"').lower() if len(earlier) > 1 else ""
        named = _named([*left, *right], known)
        return _beginning(prefix, known.columns.get(named.get(owner, owner), {}))
    return _beginning(prefix, _possible(earlier, [*left, *right], known))


def values_of(column: str, known: Vocabulary) -> list[str]:
    """Return the values that a column can have; of a column that says nothing, those of all."""
    column = "run_id" if column.endswith("run_id") else column
    if column in known.values:
        return list(known.values[column])
    return sorted({value for values in known.values.values() for value in values})


def _possible(earlier: list[Token], statement: list[Token], known: Vocabulary) -> Mapping[str, str]:
    """Return name -> what is said about it, the likeliest first."""
    previous = earlier[-1].value.lower() if earlier else ""
    keywords = dict.fromkeys(KEYWORDS, "")
    if not earlier:
        return {**dict.fromkeys(BEGINNINGS, ""), **known.queries}
    named = _named(statement, known)
    if previous in BEFORE_RELATIONS:
        return {**dict.fromkeys(_own_tables(statement), "of this statement"), **known.relations, **known.macros}
    columns: dict[str, str] = {}
    for relation in dict.fromkeys(named.values()):
        columns = {**known.columns[relation], **columns}
    return {
        **columns,
        **{name: "" for name in named if name not in known.relations},
        **keywords,
        **dict.fromkeys(FUNCTIONS, ""),
        **known.macros,
        **known.relations,
    }


def _values(left: list[Token], typed: str, right: list[Token], known: Vocabulary) -> list[Offer]:
    """Return the values for a text in quotes: those of the column before it, and its closing quotation mark."""
    before = reversed(_meaningful(left))
    words = [token.value.lower() for token in before if token.kind in ("word", "name")]
    column = next((word.strip('"') for word in words if word not in ("in", "not", "like", "ilike")), "")
    end = "" if right and right[0].value.startswith("'") else "'"
    found = [value for value in values_of(column, known) if value.lower().startswith(typed.lower())]
    return [Offer(value.replace("'", "''") + end, letters=len(typed)) for value in found]


def _beginning(prefix: str, names: Mapping[str, str]) -> list[Offer]:
    """Return those names that begin like `prefix`, in capitals if it is."""
    capitals = prefix.isupper()
    return [
        Offer(name.upper() if capitals and name in KEYWORDS else name, about, len(prefix))
        for name, about in names.items()
        if name.lower().startswith(prefix.lower()) and name.lower() != prefix.lower()
    ]


def _statement(found: Iterable[Token]) -> list[Token]:
    """Return the tokens up to the semicolon that ends a statement."""
    return list(takewhile(lambda token: token != Token("sign", ";"), found))


def _meaningful(found: Iterable[Token]) -> list[Token]:
    return [token for token in found if token.kind not in ("space", "comment")]


def _named(statement: Iterable[Token], known: Vocabulary) -> dict[str, str]:
    """Return name -> relation, for the relations that a statement names and the short names that it gives them."""
    found: dict[str, str] = {}
    words = _meaningful(statement)
    for place, token in enumerate(words):
        relation = token.value.strip('"').lower()
        if token.kind in ("word", "name") and relation in known.columns and not _is_column(words, place):
            found[relation] = relation
            short = _short_name(words[place + 1 : place + 3])
            if short:
                found[short] = relation
    return found


def _is_column(words: list[Token], place: int) -> bool:
    """Return whether a word is the name of a column, as in `found.cutoffs`, or of an expression."""
    before = words[place - 1].value.lower() if place else ""
    return before in (".", "as")


def _short_name(following: list[Token]) -> str:
    names = [token.value.lower() for token in following if token.kind == "word"]
    if names[:1] == ["as"]:
        names = names[1:]
    elif following and following[0].kind != "word":
        return ""
    return names[0] if names and names[0] not in KEYWORDS else ""


def _own_tables(statement: Iterable[Token]) -> Iterator[str]:
    """Yield the names that a statement gives to its parts: `with NAME as (...)`."""
    words = _meaningful(statement)
    for name, word, bracket in zip(words, words[1:], words[2:], strict=False):
        if name.kind == "word" and word.value.lower() == "as" and bracket.value == "(":
            yield name.value
