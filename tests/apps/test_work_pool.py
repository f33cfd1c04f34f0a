"""The work pool that `up` makes, and what it finds in its place."""

from apps.up.job_template import JOB_TEMPLATE
from apps.up.prefect_api import set_up
from hugginggpt.environment import POOL
from tests.servers import prefect_client


def test_a_pool_of_another_type_is_replaced_and_its_deployments_stay_in_it(without_deployments: str) -> None:
    api = without_deployments
    with prefect_client(api) as client:
        old = {"name": POOL, "type": "process", "concurrency_limit": 3, "description": "Mine"}
        client.post("/work_pools/", json=old).raise_for_status()
        flow = client.post("/flows/", json={"name": "somebodys"}).raise_for_status().json()["id"]
        schedule = {"schedule": {"cron": "0 0 1 1 *"}, "active": True}
        given = {"name": "own", "flow_id": flow, "work_pool_name": POOL, "entrypoint": "x:y", "schedules": [schedule]}
        own = client.post("/deployments/", json=given).raise_for_status().json()["id"]

        assert set_up(api, {}) == "process"

        pool = client.get(f"/work_pools/{POOL}").raise_for_status().json()
        assert (pool["type"], pool["base_job_template"]) == ("hugginggpt", JOB_TEMPLATE)
        assert (pool["concurrency_limit"], pool["description"]) == (3, "Mine")
        kept = client.get(f"/deployments/{own}").raise_for_status().json()
        assert (kept["work_pool_name"], kept["work_queue_name"]) == (POOL, "default")
        assert [one["schedule"]["cron"] for one in kept["schedules"]] == ["0 0 1 1 *"]

        assert set_up(api, {}) is None
        assert client.get(f"/work_pools/{POOL}").json()["id"] == pool["id"]
