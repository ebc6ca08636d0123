"""What `curate doctor` finds: checks, each with a colour and what to do, and the subjects that they are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Colour = Literal["green", "yellow", "red", "not applicable"]
"""`red`: the scores are wrong, or the machine does not work. `yellow`: one should know this."""
Figure = float | int | str | None


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    colour: Colour
    found: str
    """What was found, as a sentence without its end; if the check does not apply, why."""
    expected: str = ""
    why: str = ""
    """Why it matters."""
    do: str = ""
    """What to do if it is red or yellow."""
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """A machine or a model, with its checks."""

    kind: Literal["machine", "scorer", "encoder"]
    name: str
    about: list[str]
    """What it is, and on which texts it was examined."""
    checks: list[Check]


@dataclass(frozen=True)
class Diagnosis:
    """The result of `doctor`."""

    subjects: list[Subject]
    red: int
    """The number of red checks."""
    yellow: int
    green: int
    not_applicable: int

    @classmethod
    def of(cls, subjects: list[Subject]) -> "Diagnosis":
        """Return the diagnosis of some subjects."""
        colours = [check.colour for subject in subjects for check in subject.checks]
        return cls(subjects, *(colours.count(c) for c in ("red", "yellow", "green", "not applicable")))

    @property
    def is_sound(self) -> bool:
        """Whether no check is red."""
        return not self.red

    @property
    def verdict(self) -> str:
        """The whole in one sentence."""
        counts = f"{self.red} red, {self.yellow} yellow, {self.green} green, {self.not_applicable} not applicable"
        said = (
            "Something is wrong"
            if self.red
            else "Nothing is wrong" + (", but there is something to know" if self.yellow else "")
        )
        return f"{said}: {counts}."

    def text(self) -> str:
        """Return the diagnosis as plain lines."""
        lines = []
        for subject in self.subjects:
            lines += [f"{subject.kind}: {subject.name}", *(f"  {line}" for line in subject.about)]
            for check in subject.checks:
                lines.append(f"  {check.colour}: {check.name}: {check.found}.")
                lines += [f"    {label}: {text}." for label, text in remarks(check)]
        return "\n".join([*lines, self.verdict])


def remarks(check: Check) -> list[tuple[str, str]]:
    """Return what a reader of a red or yellow check needs besides what was found, each with its label."""
    if check.colour not in ("red", "yellow"):
        return []
    told = (("expected", check.expected), ("why", check.why), ("do", check.do))
    return [(label, text) for label, text in told if text]
