import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from tamflux.model.trees import DEPTH, ObliviousTrees


def random_trees(trees, features, seed):
    random = torch.Generator().manual_seed(seed)
    forest = ObliviousTrees(trees, outputs=2)
    forest.feature.copy_(torch.randint(features, (DEPTH, trees), generator=random))
    forest.border.copy_(torch.randn(DEPTH, trees, generator=random))
    forest.leaf.copy_(torch.randn(trees, 2**DEPTH, 2, generator=random))
    return forest


@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 7), st.integers(0, 99))
def test_each_row_takes_the_leaf_that_its_answers_spell(trees, features, rows, seed):
    forest = random_trees(trees, features, seed)
    x = torch.randn(rows, features, generator=torch.Generator().manual_seed(seed + 1))
    expected = np.zeros((rows, 2))
    for row in range(rows):
        for tree in range(trees):
            leaf = 0
            for level in range(DEPTH):
                answer = x[row, forest.feature[level, tree]] > forest.border[level, tree]
                leaf += int(answer) * 2**level
            expected[row] += forest.leaf[tree, leaf].numpy()
    np.testing.assert_allclose(forest(x), expected, atol=1e-5)


def test_leading_dimensions_stay():
    forest, x = random_trees(3, 5, 0), torch.randn(4, 6, 5)
    torch.testing.assert_close(forest(x).flatten(0, 1), forest(x.flatten(0, 1)))


def test_trees_that_have_not_grown_say_nothing():
    assert (ObliviousTrees(4, outputs=2)(torch.randn(8, 3)) == 0).all()
