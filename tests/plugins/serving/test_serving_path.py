"""The whole path with real parts: what is in the mart is what readers get."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


def test_whole_path_publishes_the_mart(publishing):
    publishing.fill(1000)
    ti = publishing.run()
    assert publishing.rows() == 1000
    assert publishing.query("select followers, followers_rank from leaderboard where platform_id = 'p7'") == [(70, 8)]
    assert ti.results["manifest"]["rows"] == 1000
