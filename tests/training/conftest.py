"""A tiny store of embeddings that tests share; those that harm one make their own."""

from __future__ import annotations

import pytest
import tiny_distillation


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    return tiny_distillation.make_pictures(tmp_path_factory.mktemp("distil") / "pictures", 16)


@pytest.fixture(scope="session")
def store(pictures):
    return tiny_distillation.make_store(pictures, pictures.parent / "store", shard_size=10)
