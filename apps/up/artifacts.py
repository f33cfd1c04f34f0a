"""A route of ours on Prefect's server: many artifacts in one request, one transaction and few statements.

Prefect's own route takes one at a time, which costs its server more than everything else that a request makes it do.
"""

import sqlalchemy
from fastapi import Depends, FastAPI, status
from prefect.server.database import PrefectDBInterface, provide_database_interface
from prefect.server.models.artifacts import (
    emit_artifact_collection_created_event,
    emit_artifact_collection_updated_event,
)
from prefect.server.schemas.actions import ArtifactCreate
from prefect.server.schemas.core import Artifact
from prefect.server.utilities.server import PrefectRouter
from prefect.types._datetime import now
from sqlalchemy.ext.asyncio import AsyncSession

from hugginggpt.environment import ARTIFACTS_PATH


def take_artifacts_together(application: FastAPI) -> None:
    """Add the route to Prefect's server application."""
    application.api_app.include_router(_router)  # type: ignore[attr-defined]


_router = PrefectRouter(prefix=ARTIFACTS_PATH.rstrip("/"), tags=["HuggingGPT"])


@_router.post("/", status_code=status.HTTP_201_CREATED)
async def create_artifacts(
    artifacts: list[ArtifactCreate],
    db: PrefectDBInterface = Depends(provide_database_interface),  # noqa: B008 - as FastAPI wants it
) -> list[str]:
    """Create artifacts, each with a key: all of them, or none if one cannot be created.

    Returns:
        their ids.
    """
    created = [Artifact(**artifact.model_dump()) for artifact in artifacts]
    async with db.session_context(begin_transaction=True) as session:
        await _insert(db, session, created)
    return [str(artifact.id) for artifact in created]


async def _insert(db: PrefectDBInterface, session: AsyncSession, artifacts: list[Artifact]) -> None:
    """Insert artifacts, and make each the latest of its key, as `models.artifacts.create_artifact` does for one."""
    moment = now("UTC")
    times = {"created": moment, "updated": moment}
    contents = {artifact.id: artifact.model_dump_for_orm(exclude={"id", *times}) for artifact in artifacts}
    latest = {content["key"]: {"latest_id": id_, **content, **times} for id_, content in contents.items()}
    upsert = db.queries.insert(db.ArtifactCollection)
    replaced = {"latest_id", "updated", *contents[artifacts[0].id]} - {"key"}
    await session.execute(
        upsert.on_conflict_do_update(
            index_elements=db.orm.artifact_collection_unique_upsert_columns,
            set_={name: upsert.excluded[name] for name in replaced},
        ),
        list(latest.values()),
    )
    await session.execute(
        sqlalchemy.insert(db.Artifact), [{"id": id_, **content, **times} for id_, content in contents.items()]
    )
    collections = sqlalchemy.select(db.ArtifactCollection).where(db.ArtifactCollection.key.in_(list(latest)))
    for collection in (await session.execute(collections)).scalars():
        if collection.created == collection.updated:
            await emit_artifact_collection_created_event(collection)
        else:
            await emit_artifact_collection_updated_event(collection)
