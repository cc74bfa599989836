"""Resize position tables to the token grid of an image size, bilinearly, before timm would do it in its own way."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize_positions(
    state: Mapping[str, Tensor], model: nn.Module, *, trained_size: tuple[int, int] | None
) -> dict[str, Tensor]:
    """Resize the position tables among a model's weights to the grids that it has at its image size.

    Args:
        state: weights as pre-trained.
        model: the encoder at the size wanted; its tables tell how many rows are no place (class token, registers).
        trained_size: height and width of the pre-training in pixels; None: a table that fits stays, others are square.

    Returns:
        All weights; tables of another form (relative ones, say) are left to timm.

    Raises:
        ValueError: the rows of a table form no grid of that size's shape.

    Source:
        Bilinear, as in the authors' released code (method.md section 2).
    """
    resized = dict(state)
    for name, (grid, others) in _tables(model).items():
        if name in state:
            source = _source_grid(state[name].shape[-2] - others, grid, trained_size)
            resized[name] = _resize(state[name], source, grid, others)
    return resized


def _tables(model: nn.Module) -> dict[str, tuple[tuple[int, int], int]]:
    """List the tables of learnt absolute positions: name -> token grid and number of rows in front of it."""
    owners = {
        "pos_embed": (model, getattr(getattr(model, "patch_embed", None), "grid_size", None)),
        "head.pos_embed": (getattr(model, "head", None), getattr(getattr(model, "head", None), "feat_size", None)),
    }
    tables = {}
    for name, (owner, grid) in owners.items():
        table = getattr(owner, "pos_embed", None)
        if grid is not None and table is not None and table.ndim <= 3:
            tables[name] = tuple(grid), table.shape[-2] - grid[0] * grid[1]
    return {name: (grid, others) for name, (grid, others) in tables.items() if others >= 0}


def _source_grid(count: int, grid: tuple[int, int], trained_size: tuple[int, int] | None) -> tuple[int, int]:
    if trained_size is None and count == grid[0] * grid[1]:
        return grid
    height, width = trained_size or (1, 1)
    rows = max(1, round((count * height / width) ** 0.5))
    if count % rows or abs(rows * width - count // rows * height) > max(height, width):
        shape = "square grid" if height == width else f"grid like {height} x {width} pixels"
        raise ValueError(
            f"{count} positions form no {shape} to resize to {grid[0]} x {grid[1]} tokens; "
            "set image_height and image_width to the size of the pre-training"
        )
    return rows, count // rows


def _resize(table: Tensor, source: tuple[int, int], grid: tuple[int, int], others: int) -> Tensor:
    if source == grid:
        return table
    places = table[..., others:, :].reshape(1, *source, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(places, size=grid, mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
    return torch.cat([table[..., :others, :], resized.reshape(*table.shape[:-2], -1, table.shape[-1])], dim=-2)
