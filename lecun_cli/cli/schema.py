"""`lecun-init schema`: print the JSON Schema of specs."""

from __future__ import annotations


def schema() -> None:
    """Print the JSON Schema of specs, for editors and validators.

    Example: lecun-init schema > lecun-init.schema.json
    """
    import json

    from lecun_cli.cli.report import emit
    from lecun_cli.spec.schema import json_schema

    emit(json.dumps(json_schema(), indent=2, ensure_ascii=False))
