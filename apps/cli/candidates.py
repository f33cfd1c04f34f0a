"""Draw the candidates of a kind for a terminal."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from apps.cli.text import printable, size
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.models.card import Candidate
from hugginggpt.models.figures import Figures


def candidate_table(kind: str, candidates: Sequence[Candidate]) -> Group:
    """A kind, what it does, and its candidates, each with the reason why it cannot run here, if any."""
    head = Text.assemble((kind, "bold"), "  ", (CAPABILITIES[kind].description, "dim"))
    rows = Table.grid(padding=(0, 1))
    for candidate in candidates:
        _add(rows, candidate)
    return Group(head, rows if candidates else Text("no known model", "dim"))


def _add(rows: Table, candidate: Candidate) -> None:
    card = candidate.card
    facts = [candidate.endpoint.value]
    facts += ["installed"] if candidate.installed and candidate.endpoint == "local" else []
    facts += [size(card.bytes)] if card.bytes else []
    facts += [f"{card.downloads:,} downloads"] if card.downloads else []
    facts += [card.licence] if card.licence else []
    facts += [_measured(candidate.figures)] if candidate.figures else []
    runs = candidate.obstacle is None
    words = Text.assemble((printable(card.id), "bold"), f"  {printable(', '.join(facts))}")
    if candidate.obstacle:
        words.append(f"\n{printable(candidate.obstacle)}", "yellow")
    if candidate.figures and candidate.figures.last_error:
        words.append(f"\nlast failure: {printable(candidate.figures.last_error)}", "dim")
    rows.add_row(Text("✓" if runs else "✗", "green" if runs else "red"), words)


def _measured(figures: Figures) -> str:
    speed = "" if figures.seconds is None else f", {figures.seconds:.2g} s per input"
    return f"{figures.completed} of {figures.runs} runs completed here{speed}"
