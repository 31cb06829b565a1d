"""Draw the pictures of README into this folder."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.pictures.terminal import picture

HERE = Path(__file__).parent

FIRST = [
    "lecun-init plan selu_mlp",
    "lecun-init selu_mlp -o weights.safetensors",
    "lecun-init verify weights.safetensors --regenerate",
]
PROPAGATE = "lecun-init propagate selu_32 --compare he_normal,glorot_uniform,truncated_normal --quiet"

# Weights as another tool might write them: `inspect` does not see a manifest.
THEIRS = """\
seed: 7
framework: torch
layers:
  - {type: conv2d, name: stem, in_channels: 3, out_channels: 64, kernel_size: 7, bias: false}
  - {type: batch_normalization, name: norm, features: 64}
  - {type: conv2d, name: body, in_channels: 64, out_channels: 128, kernel_size: 3,
     kernel_initializer: he_normal}
  - {type: dense, name: hidden, in_features: 2048, out_features: 512,
     kernel_initializer: {name: truncated_normal, stddev: 0.02}}
  - {type: dense, name: head, in_features: 512, out_features: 1000, kernel_initializer: lecun_uniform}
"""
INSPECT = ["lecun-init inspect theirs.safetensors"]


def main() -> None:
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (HERE / "terminal.svg").write_text(picture(FIRST, 96, folder, title="lecun-init"), encoding="utf-8")
        (folder / "theirs.yaml").write_text(THEIRS, encoding="utf-8")
        _run("lecun-init theirs.yaml -o theirs.safetensors --no-manifest -q", folder)
        (HERE / "inspect.svg").write_text(
            picture(INSPECT, 96, folder, title="lecun-init inspect"), encoding="utf-8"
        )
        _run("lecun-init gpt2 -o gpt2.safetensors -q", folder)
        for theme in ("light", "dark"):
            for what, command in (
                ("statistics", "lecun-init inspect gpt2.safetensors --quiet"),
                ("propagation", PROPAGATE),
            ):
                out = HERE / f"{what}-{theme}.svg"
                _run(f"{command} --plot {out} --theme {theme} --force > table.txt", folder)
    print(*sorted(path.name for path in HERE.glob("*.svg")), sep="\n", file=sys.stderr)


def _run(command: str, folder: Path) -> None:
    subprocess.run(["bash", "-c", command], cwd=folder, check=True)


if __name__ == "__main__":
    main()
