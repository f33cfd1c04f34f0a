"""Kinds and models as data: what `kinds --json`, `models --json` and the HTTP API show."""

from hugginggpt.catalog.kinds import KindSupport
from hugginggpt.models.card import Candidate
from hugginggpt.models.figures import Figures


def kind_data(row: KindSupport) -> dict[str, object]:
    """A kind of task, and what runs it here."""
    capability = row.capability
    return {
        "kind": capability.kind,
        "aliases": list(capability.aliases),
        "inputs": [
            {"name": i.name, "type": i.type.value, "required": i.required, "many": i.many} for i in capability.inputs
        ],
        "outputs": [output.value for output in capability.outputs],
        "runtimes": [runtime.value for runtime in row.runtimes],
        "default_model": row.default.id if row.default else None,
        "bytes": row.default.bytes if row.default else None,
    }


def candidate_data(candidate: Candidate) -> dict[str, object]:
    """A model for a kind of task at an endpoint, and why it cannot run here, if that is so."""
    card, figures = candidate.card, candidate.figures
    return {
        "kind": card.kind,
        "id": card.id,
        "revision": card.revision,
        "endpoint": candidate.endpoint.value,
        "runs_here": candidate.obstacle is None,
        "obstacle": candidate.obstacle,
        "installed": candidate.installed,
        "downloads": card.downloads,
        "bytes": card.bytes,
        "licence": card.licence,
        "gated": card.gated,
        "description": card.description,
        "measured": None if figures is None else _measured(figures),
    }


def _measured(figures: Figures) -> dict[str, object]:
    return {
        "runs": figures.runs,
        "completed": figures.completed,
        "success_rate": round(figures.completed / figures.runs, 3),
        "reliability": round(figures.reliability, 3),
        "failing": figures.failing,
        "seconds_per_input": figures.seconds,
        "last_error": figures.last_error,
    }
