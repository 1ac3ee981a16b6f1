"""What is made small: the distance between the student's embeddings and the teacher's."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

_SMALLEST_NORM = 1e-8


def valid_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Mean squared difference over the positions that show the picture, then over pictures.

    Padding is a quarter to nearly half of an ordinary picture's square and says nothing. The rule
    is EdgeSAM's (chongzhou96/EdgeSAM, first phase).

    Args:
        student: (B, C, h, w).
        teacher: likewise.
        valid: (B, 1, h, w) bool.
    """
    # In single precision whatever came: squares of half-precision differences lose digits.
    apart = (student.float() - teacher.float()).square().mean(1, keepdim=True) * valid
    # Each picture counts the same, however much of its square it fills.
    return (apart.sum((1, 2, 3)) / valid.sum((1, 2, 3))).mean()


def plain_mse(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG001
    """Mean squared difference over everything, padding included (RepViT-SAM, section 2.1)."""
    return F.mse_loss(student.float(), teacher.float())


def root_loss(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:  # noqa: ARG001
    """Root of the mean over positions of the squared length of the difference.

    What the public MobileSAM-pytorch calls its MSE. The root is of the whole batch, so the result
    depends on how a batch is split among processes.
    """
    return (student.float() - teacher.float()).square().sum(1).mean().sqrt()


def valid_cosine(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Mean cosine between the channel vectors of valid positions, then over pictures."""
    cosine = F.cosine_similarity(student.float(), teacher.float(), dim=1, eps=_SMALLEST_NORM)
    here = valid[:, 0]
    return ((cosine * here).sum((1, 2)) / here.sum((1, 2))).mean()


LOSSES: MappingProxyType[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {"valid-mse": valid_mse, "mse": plain_mse, "root": root_loss}
)
"""Losses of embeddings by name; each takes student, teacher and valid positions."""
