"""Products through oneDNN against torch's in fp64, in every layout that the decoder has, and never where it is slow."""

from __future__ import annotations

import os

import pytest
import torch

from danlu.training.packed import products
from danlu.training.packed.products import by_onednn, limit_kernel_cache, product, product_plus

CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"

HERE = torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def matrix(rows: int, columns: int, layout: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rows * 100 + columns)
    if layout == "turned":
        return torch.randn(columns, rows, generator=generator, dtype=dtype).t()
    if layout == "slice":
        return torch.randn(rows, columns + 5, generator=generator, dtype=dtype)[:, 2 : columns + 2]
    return torch.randn(rows, columns, generator=generator, dtype=dtype)


@pytest.mark.parametrize("left", ["plain", "turned", "slice"])
@pytest.mark.parametrize("right", ["plain", "turned", "slice"])
@pytest.mark.parametrize("sizes", [(7, 5, 3), (64, 32, 8), (1, 16, 16), (8, 1, 4)])
def test_it_is_the_product(left: str, right: str, sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    one, other, given = matrix(m, k, left), matrix(k, n, right), matrix(m, n, "plain")
    expected = one.double() @ other.double()
    before = given.clone()
    torch.testing.assert_close(product(one, other).double(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        product_plus(one, other, given).double(), expected + given.double(), atol=1e-5, rtol=1e-5
    )
    assert torch.equal(given, before)


def test_slices_on_the_right_and_other_formats_stay_with_torch() -> None:
    plain = matrix(64, 32, "plain")
    assert by_onednn(plain, matrix(32, 8, "plain")) == HERE
    assert by_onednn(plain, matrix(32, 8, "turned")) == HERE
    assert by_onednn(matrix(64, 32, "slice"), matrix(32, 8, "plain")) == HERE
    assert not by_onednn(plain, matrix(32, 8, "slice"))
    assert not by_onednn(plain.bfloat16(), matrix(32, 8, "plain", torch.bfloat16))
    assert not by_onednn(plain.double(), matrix(32, 8, "plain", torch.float64))
    assert not by_onednn(plain.to("meta"), plain.t().to("meta"))


def test_a_door_that_closed_or_gives_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        def __call__(self, left: torch.Tensor, *rest: object) -> torch.Tensor:
            return torch.zeros(left.shape[0], 3)

        binary = __call__

    def closed() -> None:
        raise AttributeError("no such operator")

    for door in (lambda: Wrong(), closed):
        products._works.cache_clear()
        monkeypatch.setattr(products, "_linear", door)
        assert not by_onednn(torch.ones(4, 4), torch.ones(4, 4))
        assert torch.equal(product(torch.ones(4, 4), torch.ones(4, 4)), torch.full((4, 4), 4.0))
    products._works.cache_clear()
    monkeypatch.undo()
    assert products._works() == HERE


def test_onednn_is_asked_to_keep_fewer_kernels_unless_somebody_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CAPACITY, raising=False)
    limit_kernel_cache()
    assert os.environ[CAPACITY] == "256"
    monkeypatch.setenv(CAPACITY, "77")
    limit_kernel_cache()
    assert os.environ[CAPACITY] == "77"
