"""What became of a fault: one row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field

from .chain import Finished

ROW = "{:44s}{:>7}{:>10}{:>11}  {}"
HEADER = ROW.format("fault", "times", "survived", "identical", "")


@dataclass
class Outcome:
    """A case: how often its fault was made, and all that went wrong."""

    fault: str
    times: int = 0
    problems: list[str] = field(default_factory=list)
    survived: bool = True
    identical: bool = True
    note: str = ""

    def judge(self, finished: Finished, differences: list[str]) -> None:
        """Take in the end of the chain and its differences from an undisturbed run."""
        if finished.status != 0:
            self.survived = False
            self.problems.append(f"ended with {finished.status}: {finished.text[-3000:]}")
        if differences:
            self.identical = False
            self.problems += [f"differs: {name}" for name in differences]

    def expect(self, true: bool, what: str, finished: Finished | None = None) -> None:
        """Note a problem unless something is as it should be."""
        if not true:
            self.survived = False
            said = f": {finished.text[-3000:]}" if finished else ""
            self.problems.append(what + said)

    def row(self) -> str:
        """The row of the table, and below it what went wrong."""
        marks = ["yes" if good else "NO" for good in (self.survived, self.identical)]
        lines = [ROW.format(self.fault, self.times, *marks, self.note)]
        return "\n".join([*lines, *(f"    {problem}" for problem in self.problems)]).rstrip()
