from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from served_cluster import ServedCluster, served_cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[ServedCluster]:
    async with served_cluster(tmp_path) as cluster:
        yield cluster
