"""Commands in messages: what a message suggests can be copied into a shell, whatever the names in it."""

import shlex


def curate_command(*words: object) -> str:
    """Return `curate WORD...`, quoted for a shell where a word needs it.

    Words in capitals, such as MODEL or SPLIT=FILE, are placeholders and stay as they are.
    """
    return shlex.join(["curate", *map(str, words)])
