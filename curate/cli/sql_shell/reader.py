"""What reads a statement or a dot command from the keyboard, of as many lines as it has."""

from collections.abc import Callable, Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from curate.cli.sql_shell import dot_commands
from curate.cli.sql_shell.completion import Offer, in_sql
from curate.cli.sql_shell.history import history
from curate.cli.sql_shell.tokens import is_whole
from curate.cli.sql_shell.vocabulary import Vocabulary
from curate.reports.safe_text import clean

PROMPT, MORE = "curate> ", "   ...> "
WORDS = {"exit": ".quit", "quit": ".quit", "help": ".help"}
"""Words that other shells know, and what they mean here."""


class Reader:
    """The prompt, with completion, history and highlighting.

    known: a function that returns the names that can be completed now.
    """

    def __init__(self, known: Callable[[], Vocabulary]) -> None:
        self._known = known
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=_continued,
            history=history(),
            completer=Names(known),
            lexer=PygmentsLexer(SqlLexer),
            key_bindings=self._bindings(),
        )

    def read(self) -> str:
        """Return what was typed; raises EOFError at Ctrl-D and KeyboardInterrupt at Ctrl-C."""
        text = self._session.prompt().strip()
        return WORDS.get(text.removesuffix(";").lower(), text)

    def is_complete(self, text: str) -> bool:
        """Return whether Enter runs a text, instead of beginning another line."""
        begun = text.strip()
        return not begun or begun.startswith(".") or begun in {*WORDS, *self._known().queries} or is_whole(text)

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("enter")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state and buffer.complete_state.current_completion:
                buffer.complete_state = None  # the completion is in the text already
            elif self.is_complete(buffer.text):
                buffer.validate_and_handle()
            else:
                buffer.insert_text("\n")

        return bindings


class Names(Completer):
    """The completions of `offers`, in the form of prompt_toolkit."""

    def __init__(self, known: Callable[[], Vocabulary]) -> None:
        self._known = known

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield the completions at the cursor. Where no letter is typed yet, they wait for Tab."""
        for offer in offers(document.text_before_cursor, document.text_after_cursor, self._known()):
            if offer.letters or complete_event.completion_requested:
                yield Completion(
                    offer.text,
                    start_position=-offer.letters,
                    display=clean(offer.text),
                    display_meta=clean(offer.about),
                )


def offers(before: str, after: str, known: Vocabulary) -> list[Offer]:
    """Return what can follow the text before the cursor, in a statement or in a dot command."""
    if before.lstrip().startswith("."):
        return dot_commands.completed(before, known)
    return in_sql(before, after, known)


def _continued(width: int, _line: int, is_wrapped: int) -> str:
    """Return what stands before a further line; a line that only wraps is not one."""
    return " " * width if is_wrapped else MORE
