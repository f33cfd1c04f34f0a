"""A route of ours on Prefect's server: many artifacts in one request and one transaction.

Prefect's own route takes one at a time, which costs the server most of what a request costs it.
"""

from fastapi import Depends, FastAPI, status
from prefect.server.database import PrefectDBInterface, provide_database_interface
from prefect.server.models.artifacts import create_artifact
from prefect.server.schemas.actions import ArtifactCreate
from prefect.server.schemas.core import Artifact
from prefect.server.utilities.server import PrefectRouter

from hugginggpt.environment import ARTIFACTS_PATH


def take_artifacts_together(application: FastAPI) -> None:
    """Add the route to Prefect's server application."""
    application.api_app.include_router(_router)  # type: ignore[attr-defined]


_router = PrefectRouter(prefix=ARTIFACTS_PATH.rstrip("/"), tags=["HuggingGPT"])


@_router.post("/", status_code=status.HTTP_201_CREATED)
async def create_artifacts(
    artifacts: list[ArtifactCreate],
    db: PrefectDBInterface = Depends(provide_database_interface),  # noqa: B008 - as FastAPI wants it
) -> list[Artifact]:
    """Create artifacts: all of them, or none if one cannot be created."""
    async with db.session_context(begin_transaction=True) as session:
        made = [
            await create_artifact(session=session, artifact=Artifact(**artifact.model_dump())) for artifact in artifacts
        ]
        return [Artifact.model_validate(one, from_attributes=True) for one in made]
