"""Commands in messages: what a message suggests can be copied into a shell, whatever the names in it."""

import shlex
from collections.abc import Mapping


def curate_command(*words: object) -> str:
    """Return `curate WORD...`, quoted for a shell where a word needs it.

    Words in capitals, such as MODEL or SPLIT=FILE, are placeholders and stay as they are.
    """
    return shlex.join(["curate", *map(str, words)])


def option_words(values: Mapping[str, object]) -> list[str]:
    """Return values as words of a command: `--name VALUE`, or `--name` and `--no-name` for true and false.

    A list gives its option once for each value. What is None is left out.
    """
    words: list[str] = []
    for name, value in values.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            each = value if isinstance(value, list) else [value]
            words += [word for one in each if one is not None for word in (f"--{option}", str(one))]
    return words
