"""What commands print: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]


def print_json(data: Any) -> None:
    """Prints indented JSON."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
    """Prints rows in aligned columns; the last one may be of any width."""
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo((" " * indent + "  ".join(cells)).rstrip())
