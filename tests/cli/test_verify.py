"""`verify`, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


class TestVerify:
    def test_an_intact_file_is_ok(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "w.safetensors")
        ran = run("verify", "w.safetensors", "--regenerate")
        assert ran.code == 0
        assert "ok (1 file, 4 tensors" in ran.err

    def test_a_difference_is_named_and_exits_with_3(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "w.safetensors")
        data = bytearray((here / "w.safetensors").read_bytes())
        data[-1] ^= 1
        (here / "w.safetensors").write_bytes(data)
        ran = run("verify", "w.safetensors")
        assert ran.code == 3
        assert 'tensor "logits/kernel" differs' in ran.err
        assert "hidden" not in ran.err

    def test_json_reports_the_same(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "w.safetensors")
        (here / "w.safetensors").unlink()
        ran = run("verify", ".", "--json", "--quiet")
        assert ran.code == 3
        (report,) = json.loads(ran.out)
        assert report["ok"] is False
        assert [(d["name"], d["kind"]) for d in report["differences"]] == [("w.safetensors", "missing")]
