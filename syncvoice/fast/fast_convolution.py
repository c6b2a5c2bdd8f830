"""Convolutions with fewer products (Toom-Cook, Winograd), for inference on a processor.

A row of m results of a filter with r taps needs m r products; polynomial interpolation at m + r - 1 points needs one
per point (Toom 1963, Cook 1966, Winograd 1980; for networks: Lavin and Gray 2016). In two dimensions both are nested:
F(4 x 4, 3 x 3) spends 36 products where the definition spends 144. Per point the products over the channels are a
matrix product, so everything here is `torch.mm` and `torch.bmm`: no compiler is needed.

Conventions: pictures lie channels last, (pictures, height, width, channels). A convolution of stride 2 is one of stride
1 over the four phases of its input (even and odd rows and columns become channels). Larger tiles save more products
and lose more digits: float32 keeps five decimals with all tiles used here, bfloat16 about two.
"""

from fractions import Fraction
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

# Finite points of interpolation by their number; infinity is always the last one. The five were chosen among fractions
# of quarters by the noise that rounding leaves (half of that of 0, +-1, +-2); the others are the usual small numbers.
_HALF, _QUARTERS = Fraction(1, 2), (Fraction(3, 4), Fraction(3, 2))
POINTS: dict[int, tuple[Fraction | int, ...]] = {
    1: (0,),
    2: (0, 1),
    3: (0, 1, -1),
    4: (0, 1, -1, 2),
    5: (0, _QUARTERS[0], -_QUARTERS[0], _QUARTERS[1], -_QUARTERS[1]),
    6: (0, 1, -1, 2, -2, _HALF),
    7: (0, 1, -1, 2, -2, _HALF, -_HALF),
    8: (0, 1, -1, 2, -2, _HALF, -_HALF, 4),
}
CACHE_BYTES = 16 << 20  # of transformed data at a time: what stays near the processor (our choice, measured)


@cache
def transforms(results: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices of a short one-dimensional convolution: y = output @ ((kernel @ g) * (data @ x)).

    y[i] = sum over k of g[k] x[i + k]. The product of two polynomials is interpolated at n = results + taps - 1 points;
    the transposed algorithm is the convolution as networks define it.

    Args:
        results: number of results m.
        taps: number of taps r of the filter.

    Returns:
        data (n, n), kernel (n, r), output (m, n), float64.

    Raises:
        ValueError: there is no set of that many points.
    """
    n = results + taps - 1
    if n - 1 not in POINTS:
        raise ValueError(f"F({results}, {taps}) needs {n - 1} points; there are sets of {sorted(POINTS)}")
    points = [Fraction(point) for point in POINTS[n - 1]]

    def powers(count: int) -> list[list[Fraction]]:
        """Powers 0 to count - 1 of every point; at infinity only the highest counts."""
        return [[p**k for k in range(count)] for p in points] + [[Fraction(int(k == count - 1)) for k in range(count)]]

    data, kernel, output = (np.array(rows, np.float64) for rows in (_inverse(powers(n)), powers(taps), powers(results)))
    return np.ascontiguousarray(data.T), kernel, np.ascontiguousarray(output.T)


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """Exact inverse by elimination."""
    n = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(matrix)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(n):
            if i != column and rows[i][column]:
                factor = rows[i][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[n:] for row in rows]


class FastConvolution:
    """A two-dimensional convolution without dilation or groups, as tiles of F(m_h x m_w, r_h x r_w).

    Three steps, which a caller may take one by one: `data` transforms patches of pictures, `products` multiplies them
    with the transformed weights, `results` goes back to tiles of results.

    Attributes:
        tile: results per tile (m_h, m_w).
        points: points per tile (n_h, n_w).
        stride: 1 or 2.
    """

    def __init__(self, weight: Tensor, stride: int, padding: int, tile: tuple[int, int], dtype: torch.dtype) -> None:
        """Transform weights (out, in, height, width) in float64 and round them once, to `dtype`."""
        out, channels, height, width = weight.shape
        taps = -(-height // stride), -(-width // stride)
        self.tile, self.stride, self._padding = tile, stride, padding
        self._out, self._taps, self._sizes = out, taps, (height, width)
        self._odd = taps[0] * stride > height  # odd rows have a tap less: nothing of them at infinity
        phases = pad(weight.double(), (0, taps[1] * stride - width, 0, taps[0] * stride - height))
        phases = phases.reshape(out, channels, taps[0], stride, taps[1], stride).permute(2, 4, 3, 5, 1, 0)
        rows, columns = ([torch.from_numpy(m) for m in transforms(*size)] for size in zip(tile, taps, strict=True))
        self.points = len(rows[0]), len(columns[0])
        kernel = torch.einsum("ai,bj,ij...->ab...", rows[1], columns[1], phases.flatten(2, 4))
        self._kernel = kernel.flatten(0, 1).to(dtype)  # (n_h n_w, stride^2 in, out)
        self._data = torch.kron(rows[0], columns[0]).to(dtype)  # (n_h n_w, n_h n_w)
        self._results = torch.kron(rows[2], columns[2]).to(dtype)  # (m_h m_w, n_h n_w)

    def tiles(self, height: int, width: int) -> tuple[int, int]:
        """How many tiles cover that many results."""
        return -(-height // self.tile[0]), -(-width // self.tile[1])

    def size_in(self, tiles: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the padded pictures that these tiles read."""
        return tuple(self.stride * (n * m + r - 1) for n, m, r in zip(tiles, self.tile, self._taps, strict=True))

    def data(self, pictures: Tensor, tiles: tuple[int, int]) -> Tensor:
        """Transform overlapping patches.

        Args:
            pictures: (N, height, width, channels), rows dense, padded to at least `size_in(tiles)`.
            tiles: how many (rows, columns).

        Returns:
            (n_h n_w, N rows columns, stride^2 channels).
        """
        n, stride = len(pictures), self.stride
        picture, row, column, channel = pictures.stride()
        shape = (*self.points, n, *tiles, stride, stride * pictures.shape[3])
        steps = (row * stride, column * stride, picture, row * stride * self.tile[0], column * stride * self.tile[1])
        patches = pictures.as_strided(shape, (*steps, row, channel)).reshape(len(self._data), -1)
        return torch.mm(self._data, patches).view(len(self._data), n * tiles[0] * tiles[1], -1)

    def products(self, data: Tensor) -> Tensor:
        """(n_h n_w, tiles, stride^2 in) -> (n_h n_w, tiles, out)."""
        if not self._odd:
            return torch.bmm(data, self._kernel)
        last, even = self.points[1], data.shape[2] // 2
        products = data.new_empty(*data.shape[:2], self._out)
        torch.bmm(data[:-last], self._kernel[:-last], out=products[:-last])
        torch.bmm(data[-last:, :, :even], self._kernel[-last:, :even], out=products[-last:])
        return products

    def results(self, products: Tensor) -> Tensor:
        """(n_h n_w, tiles, out) -> (m_h, m_w, tiles, out)."""
        return torch.mm(self._results, products.flatten(1)).view(*self.tile, *products.shape[1:])

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, height, width, in) -> (N, height, width, out)."""
        tiles = self.tiles(*self.size_out(pictures))
        size = len(self._data) * tiles[0] * tiles[1] * self.stride**2 * pictures.shape[3] * pictures.itemsize
        return torch.cat([self._convolved(part, tiles) for part in pictures.split(max(1, CACHE_BYTES // size))])

    def size_out(self, pictures: Tensor) -> tuple[int, ...]:
        """Height and width of the results."""
        sizes = zip(pictures.shape[1:3], self._sizes, strict=True)
        return tuple((size + 2 * self._padding - kernel) // self.stride + 1 for size, kernel in sizes)

    def _convolved(self, pictures: Tensor, tiles: tuple[int, int]) -> Tensor:
        """All three steps for a few pictures."""
        wanted, above = self.size_in(tiles), self._padding
        below, right = (max(0, w - size - above) for w, size in zip(wanted, pictures.shape[1:3], strict=True))
        padded = pad(pictures, (0, 0, above, right, above, below))
        parts = self.results(self.products(self.data(padded, tiles)))
        maps = parts.unflatten(2, (len(pictures), *tiles)).permute(
            2, 3, 0, 4, 1, 5
        )  # (N, rows, m_h, columns, m_w, out)
        maps = maps.reshape(len(pictures), tiles[0] * self.tile[0], -1, self._out)
        height, width = self.size_out(pictures)
        return maps[:, :height, :width]
