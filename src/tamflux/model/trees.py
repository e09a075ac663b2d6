"""Regression trees as tensors: every split of a level is the same, so a leaf is a binary number."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NEVER = torch.finfo(torch.float32).max
"""Border that no value is above."""

DEPTH = 7
"""Splits of a tree; at most 8, so that the number of a leaf is one byte."""


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

    def __init__(self, trees: int, outputs: int):
        super().__init__()
        self.register_buffer("feature", torch.zeros(DEPTH, trees, dtype=torch.int64))
        self.register_buffer("border", torch.full((DEPTH, trees), NEVER))
        self.register_buffer("leaf", torch.zeros(trees, 2**DEPTH, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Values (..., outputs) of features (..., feature)."""
        columns = x.flatten(0, -2).T.contiguous()
        trees = self.leaf.shape[0]
        number = torch.zeros(trees, columns.shape[1], dtype=torch.uint8, device=x.device)
        for level in range(DEPTH):
            above = columns[self.feature[level]] > self.border[level][:, None]
            number += above.view(torch.uint8) << level
        first = torch.arange(trees, dtype=torch.int32, device=x.device) << DEPTH
        values = functional.embedding_bag(
            number.T.int() + first, self.leaf.flatten(0, 1), mode="sum"
        )
        return values.view(*x.shape[:-1], -1)
