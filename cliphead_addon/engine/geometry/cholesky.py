"""Sparse symmetric positive definite systems."""

import numpy as np
from cvxopt import cholmod, matrix, spmatrix


class Cholesky:
    """A factored matrix, by CHOLMOD's supernodal Cholesky decomposition (Chen et al. 2008).

    values, rows, columns: (E,) of the upper triangle with the diagonal; size: N. Raises ArithmeticError if it is not positive
    definite.
    """

    def __init__(self, values, rows, columns, size):
        lower = (matrix(np.ascontiguousarray(part)) for part in (values, columns, rows))
        system = spmatrix(*lower, (size, size))
        self.factor = cholmod.symbolic(system)
        cholmod.numeric(system, self.factor)

    def solve(self, right):
        """(N,C) float64 -> (N,C)"""
        result = matrix(right)
        cholmod.solve(self.factor, result)
        return np.array(result)
