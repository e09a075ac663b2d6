"""Regression trees as tensors: every split of a level is the same, so a leaf is a binary number."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NEVER = torch.finfo(torch.float32).max
"""Border that no value is above."""

DEPTH = 7
"""Splits of a tree."""

CPU_ROWS = 512
"""Rows that a processor answers at once: what it writes in between stays in its cache."""


class ObliviousTrees(nn.Module):
    """Sum of oblivious trees, the form that CatBoost grows (Prokhorenkova et al. 2018).

    A tree asks the same `DEPTH` questions of every row, x[feature] > border; question k gives bit k
    of the number of its leaf.

    Parameters
    ----------
    trees : int
        Number of trees.
    outputs : int
        Values that a leaf holds.
    """

    feature: Tensor
    border: Tensor
    leaf: Tensor
    bits: Tensor
    first: Tensor

    def __init__(self, trees: int, outputs: int):
        super().__init__()
        self.register_buffer("feature", torch.zeros(DEPTH, trees, dtype=torch.int64))
        self.register_buffer("border", torch.full((DEPTH, trees), NEVER))
        self.register_buffer("leaf", torch.zeros(trees, 2**DEPTH, outputs))
        bits, first = 2.0 ** torch.arange(DEPTH), 2.0**DEPTH * torch.arange(trees)[:, None]
        self.register_buffer("bits", bits, persistent=False)
        self.register_buffer("first", first, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Values (..., outputs) of features (..., feature), in float32."""
        return self.answer(ask(x)).view(*x.shape[:-1], -1)

    def answer(self, asked: list[Tensor]) -> Tensor:
        """Values (row, outputs) of what `ask` made of rows."""
        with torch.autocast(asked[0].device.type, enabled=False):
            return torch.cat([self._values(part) for part in asked])

    def _values(self, part: Tensor) -> Tensor:
        """Values (row, outputs) of (feature, row)."""
        answers = part.index_select(0, self.feature.flatten())
        answers.gt_(self.border.view(-1, 1))  # in place: 1.0 or 0.0, ten times as fast
        number = (self.bits @ answers.view(DEPTH, -1)).view(len(self.first), -1)
        leaves = number.add_(self.first).T.to(torch.int32, memory_format=torch.contiguous_format)
        return functional.embedding_bag(leaves, self.leaf.flatten(0, 1), mode="sum")


def ask(x: Tensor) -> list[Tensor]:
    """Features (..., feature) as trees read them: float32 parts (feature, row) of the rows."""
    rows = x.flatten(0, -2).float()
    at_once = CPU_ROWS if x.device.type == "cpu" else max(len(rows), 1)
    return [part.T.contiguous() for part in rows.split(at_once)]
