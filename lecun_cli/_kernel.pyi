from typing_extensions import Buffer

def draw(
    out: Buffer,
    start: int,
    counts: tuple[int, ...],
    key: tuple[int, int],
    law: int,
    dtype: int,
    numbers: tuple[float, float, float, float],
    /,
) -> None: ...
