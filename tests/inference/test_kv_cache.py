"""Rows of the cache join, leave and grow without losing a value."""

from __future__ import annotations

import torch

from danlu.inference.kv_cache import ROOM, RoomyLayer, RowCache


def filled(lengths: list[int], seed: int) -> RowCache:
    """A one-layer cache whose values are random where there is a token and NaN where there is padding."""
    time = max(lengths)
    mask = torch.tensor([[0] * (time - length) + [1] * length for length in lengths])
    cache = RowCache(1, mask)
    values = torch.randn(len(lengths), 2, time, 3, generator=torch.Generator().manual_seed(seed))
    values[(mask == 0)[:, None, :, None].expand_as(values)] = torch.nan
    cache.model_cache.update(values, values + 1, 0)
    return cache


def rows(cache: RowCache) -> list[torch.Tensor]:
    """The tokens' keys of each row."""
    return [cache._layers[0].keys[row][:, mask.bool()] for row, mask in enumerate(cache.mask)]


def test_join_and_keep_preserve_rows_and_trim_padding() -> None:
    first, second = filled([3, 7], 0), filled([5], 1)
    expected = [*rows(first), *rows(second)]
    first.join(second)
    assert first.lengths == [3, 7, 5]
    for found, wanted in zip(rows(first), expected, strict=True):
        assert torch.equal(found, wanted)
    first.keep([0, 2])
    assert first.lengths == [3, 5]
    assert first.mask.shape == (2, 5)
    assert torch.equal(rows(first)[0], expected[0])
    assert torch.equal(rows(first)[1], expected[2])
    assert torch.equal(first._layers[0].values[1], first._layers[0].keys[1] + 1)


def test_a_shorter_batch_is_padded_when_a_longer_one_joins() -> None:
    first, second = filled([2], 0), filled([6], 1)
    expected = [*rows(first), *rows(second)]
    first.join(second)
    assert first.mask.tolist() == [[0, 0, 0, 0, 1, 1], [1] * 6]
    assert all(torch.equal(found, wanted) for found, wanted in zip(rows(first), expected, strict=True))
    assert torch.equal(first._layers[0].keys[0, :, :4], torch.zeros(2, 4, 3))


def test_grow_gives_positions_and_a_longer_mask() -> None:
    cache = filled([2, 4], 0)
    assert cache.grow().tolist() == [[2], [4]]
    assert cache.mask.tolist() == [[0, 0, 1, 1, 1], [1] * 5]
    assert cache.lengths == [3, 5]


def test_a_layer_grows_past_its_room() -> None:
    values = torch.randn(2, 2, 3 * ROOM, 3)
    layer = RoomyLayer()
    layer.update(values[:, :, :5], values[:, :, :5])
    for at in range(5, 3 * ROOM):
        keys, _ = layer.update(values[:, :, at : at + 1], values[:, :, at : at + 1])
        assert keys.shape[-2] == at + 1
    assert torch.equal(layer.keys, values)
    assert torch.equal(layer.values, values)
