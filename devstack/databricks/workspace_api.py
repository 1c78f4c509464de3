"""The few answers clients ask for before they work: who am I, which versions, clusters, warehouses."""

from typing import Any

from fastapi import APIRouter

from devstack.databricks.views import USER

SPARK = "4.2.x-local"


def _warehouse(warehouse_id: str) -> dict[str, Any]:
    return {"id": warehouse_id, "name": warehouse_id, "state": "RUNNING", "cluster_size": "local"}


def router(url: str) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/.well-known/databricks-config")
    async def configuration() -> dict[str, Any]:
        return {"oidc_endpoint": f"{url}/oidc"}

    @routes.get("/api/2.0/clusters/spark-versions")
    @routes.get("/api/2.1/clusters/spark-versions")
    async def versions() -> dict[str, Any]:
        return {"versions": [{"key": SPARK, "name": "Spark 4.2, Delta 4.4, local"}]}

    @routes.get("/api/2.0/clusters/get")
    @routes.get("/api/2.1/clusters/get")
    async def cluster(cluster_id: str = "local") -> dict[str, Any]:
        return {"cluster_id": cluster_id, "state": "RUNNING", "state_message": "", "spark_version": SPARK}

    @routes.get("/api/2.0/preview/scim/v2/Me")
    async def me() -> dict[str, Any]:
        return {"id": "1", "userName": USER, "active": True}

    @routes.get("/api/2.0/sql/warehouses")
    async def warehouses() -> dict[str, Any]:
        return {"warehouses": [_warehouse("local")]}

    @routes.get("/api/2.0/sql/warehouses/{warehouse_id}")
    async def warehouse(warehouse_id: str) -> dict[str, Any]:
        return _warehouse(warehouse_id)

    return routes
