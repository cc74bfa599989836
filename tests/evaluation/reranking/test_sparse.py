"""Sparse rows do what the dense matrix does."""

import numpy as np
import pytest

from dcac.evaluation.reranking.sparse import SparseRows, add_rows, overlap


@pytest.fixture
def matrix():
    generator = np.random.default_rng(0)
    return np.where(generator.random((9, 9)) < 0.4, generator.random((9, 9)), 0)


def sparse(matrix):
    return SparseRows.of([(np.flatnonzero(row).astype(np.int32), row[row > 0]) for row in matrix])


def test_rows_come_back(matrix):
    rows = sparse(matrix)
    assert len(rows) == 9
    columns, values = rows.row(4)
    assert columns.tolist() == np.flatnonzero(matrix[4]).tolist()
    assert values.tolist() == matrix[4][matrix[4] > 0].tolist()


def test_sum_of_rows(matrix):
    columns, values = add_rows(sparse(matrix), np.array([1, 5, 1]), scale=0.5)
    whole = np.zeros(9)
    whole[columns] = values
    np.testing.assert_allclose(whole, (2 * matrix[1] + matrix[5]) / 2, rtol=1e-14)


def test_overlap_sums_the_smaller_of_two_rows(matrix):
    band = sparse(matrix).transposed(slice(3, None))
    found = overlap(sparse(matrix).row(0), band, length=6)
    np.testing.assert_allclose(found, np.minimum(matrix[0], matrix[3:]).sum(axis=1), rtol=1e-14)


def test_overlap_with_nothing_is_zero():
    lonely = SparseRows.of([(np.array([0]), np.array([1.0])), (np.array([1]), np.array([1.0]))])
    assert overlap(lonely.row(0), lonely.transposed(slice(1, None)), length=1).tolist() == [0]
