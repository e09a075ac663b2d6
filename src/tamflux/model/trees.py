"""Oblivious regression trees as tensors: all nodes of a level share a split.

The index of a leaf is therefore a binary number, bit k of which is the outcome of split k.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NEVER = torch.finfo(torch.float32).max
"""Border that no value exceeds."""

DEPTH = 7
"""Splits of a tree."""

CPU_ROWS = 512
"""Rows evaluated at a time on a CPU, so that intermediate results stay in its cache."""


class ObliviousTrees(nn.Module):
    """Sum of oblivious trees, the form that CatBoost fits (Prokhorenkova et al. 2018).

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
    first_leaf: Tensor

    def __init__(self, trees: int, outputs: int):
        super().__init__()
        self.register_buffer("feature", torch.zeros(DEPTH, trees, dtype=torch.int64))
        self.register_buffer("border", torch.full((DEPTH, trees), NEVER))
        self.register_buffer("leaf", torch.zeros(trees, 2**DEPTH, outputs))
        bits, first_leaf = 2.0 ** torch.arange(DEPTH), 2.0**DEPTH * torch.arange(trees)[:, None]
        self.register_buffer("bits", bits, persistent=False)
        self.register_buffer("first_leaf", first_leaf, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Values (..., output) of features (..., feature), in float32."""
        return self.predict(split_rows(x)).view(*x.shape[:-1], -1)

    def predict(self, parts: list[Tensor]) -> Tensor:
        """Values (row, output) of the rows that `split_rows` divided."""
        with torch.autocast(parts[0].device.type, enabled=False):
            return torch.cat([self._leaf_values(part) for part in parts])

    def _leaf_values(self, part: Tensor) -> Tensor:
        """Values (row, output) of features (feature, row).

        leaf of a tree = sum over k of 2^k [x[feature_k] > border_k]
        """
        above = part.index_select(0, self.feature.flatten())
        # in place, as 1.0 or 0.0: ten times faster than allocating a boolean mask
        above.gt_(self.border.view(-1, 1))
        leaf = (self.bits @ above.view(DEPTH, -1)).view(len(self.first_leaf), -1)
        rows = leaf.add_(self.first_leaf).T.to(torch.int32, memory_format=torch.contiguous_format)
        return functional.embedding_bag(rows, self.leaf.flatten(0, 1), mode="sum")


def split_rows(x: Tensor) -> list[Tensor]:
    """Features (..., feature) as float32 parts (feature, row) of at most `CPU_ROWS` rows."""
    rows = x.flatten(0, -2).float()
    at_once = CPU_ROWS if x.device.type == "cpu" else max(len(rows), 1)
    return [part.T.contiguous() for part in rows.split(at_once)]
