"""The candidates of a kind, drawn for a terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from apps.cli.text import printable, size
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.card import Candidate


def candidate_table(kind: str, candidates: Sequence[Candidate]) -> Group:
    """A kind, what it does, and its candidates with what stands in each one's way."""
    head = Text.assemble((kind, "bold"), "  ", (CAPABILITIES[kind].description, "dim"))
    rows = [Padding(_row(candidate), (0, 0, 0, 2)) for candidate in candidates]
    return Group(head, *(rows or [Padding(Text("no model is known for it", "dim"), (0, 0, 0, 2))]))


def _row(candidate: Candidate) -> Text:
    card = candidate.card
    facts = [candidate.endpoint.value]
    facts += ["installed"] if candidate.installed and candidate.endpoint == "local" else []
    facts += [size(card.bytes)] if card.bytes else []
    facts += [f"{card.downloads:,} downloads"] if card.downloads else []
    facts += [card.licence] if card.licence else []
    runs = candidate.obstacle is None
    row = Text.assemble(("✓ " if runs else "✗ ", "green" if runs else "red"), (printable(card.id), "bold"))
    row.append(f"  {printable(', '.join(facts))}")
    if candidate.obstacle:
        row.append(f"\n  {printable(candidate.obstacle)}", "yellow")
    return row
