from __future__ import annotations

import json

from lecun_cli.dtypes import FLOAT_DTYPES
from tests.stream import regenerate_goldens


class TestGoldens:
    def test_every_bit_is_unchanged(self) -> None:
        assert regenerate_goldens.compute() == json.loads(
            regenerate_goldens.TABLE.read_text(encoding="utf-8")
        )

    def test_the_table_is_complete(self) -> None:
        table = json.loads(regenerate_goldens.TABLE.read_text(encoding="utf-8"))
        starts = {str(s) for s in regenerate_goldens.STARTS}
        assert set(table) == set(FLOAT_DTYPES)
        for distributions in table.values():
            assert set(distributions) == set(regenerate_goldens.DISTRIBUTIONS)
            assert all(set(by_start) == starts for by_start in distributions.values())
