"""The SQL statement execution API: execute, get, chunks, cancel."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import FileResponse, Response
from pydantic import ValidationError

from devstack.databricks import faults
from devstack.databricks.statements import Request, Statements
from devstack.databricks.store import Row

BASE = "/api/2.0/sql/statements"
_Body = Annotated[dict[str, Any], Body(default_factory=dict)]


def router(statements: Statements, url: str) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    def status(row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {"state": statements.state(row)}
        if row["error_code"] and found["state"] == "FAILED":
            found["error"] = {"error_code": row["error_code"], "message": row["message"]}
        if row["sql_state"]:
            found["sql_state"] = row["sql_state"]
        return found

    def chunk(row: Row, manifest: dict[str, Any], index: int) -> str:
        """Write one chunk as the `result` object; its rows are copied, not parsed."""
        info = next((item for item in manifest["chunks"] if item["chunk_index"] == index), None)
        if info is None and index == 0:
            return '{"chunk_index":0,"row_offset":0,"row_count":0,"data_array":[]}'
        file = statements.chunk_file(row, index)
        found = {name: info[name] for name in ("chunk_index", "row_offset", "row_count")} if info else {}
        if index + 1 < manifest["total_chunk_count"]:
            link = f"{BASE}/{row['statement_id']}/result/chunks/{index + 1}"
            found |= {"next_chunk_index": index + 1, "next_chunk_internal_link": link}
        if row["spec"]["disposition"] == "EXTERNAL_LINKS":
            address = f"{url}/results/{row['statement_id']}/{index}?key={statements.key}"
            outside = {**found, "byte_count": info["byte_count"] if info else 0, "external_link": address}
            return _json({"external_links": [{**outside, "expiration": statements.expiry()}]})
        return _json(found)[:-1] + f',"data_array":{file.read_text(encoding="utf-8")}}}'

    def answer(row: Row) -> Response:
        body: dict[str, Any] = {"statement_id": row["statement_id"], "status": status(row)}
        manifest = statements.manifest(row)
        if manifest is None:
            return _raw(_json(body))
        body["manifest"] = manifest
        return _raw(_json(body)[:-1] + f',"result":{chunk(row, manifest, 0)}}}')

    @routes.post(BASE)
    async def execute(body: _Body) -> Response:
        try:
            request = Request.model_validate(body)
        except ValidationError as error:
            raise faults.explain(error) from error
        return answer(await statements.execute(request))

    @routes.get(BASE + "/{statement_id}")
    async def get(statement_id: str) -> Response:
        return answer(statements.find(statement_id))

    @routes.get(BASE + "/{statement_id}/result/chunks/{index}")
    async def get_chunk(statement_id: str, index: int) -> Response:
        row = statements.find(statement_id)
        manifest = statements.manifest(row)
        if manifest is None:
            statements.chunk_file(row, index)
        return _raw(chunk(row, manifest or {"chunks": [], "total_chunk_count": 0}, index))

    @routes.post(BASE + "/{statement_id}/cancel")
    async def cancel(statement_id: str) -> dict[str, Any]:
        await statements.cancel(statement_id)
        return {}

    @routes.get("/results/{statement_id}/{index}")
    async def linked(statement_id: str, index: int, key: str = "") -> Response:
        if not secrets.compare_digest(key.encode(), statements.key.encode()):
            raise faults.Fault(403, "PERMISSION_DENIED", "This link is not good (any more). Repair: ask for a new one.")
        return FileResponse(statements.chunk_file(statements.find(statement_id), index), media_type="application/json")

    return routes


def _json(content: dict[str, Any]) -> str:
    import json

    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _raw(text: str) -> Response:
    return Response(text, media_type="application/json")
