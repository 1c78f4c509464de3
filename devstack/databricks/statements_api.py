"""The SQL statement execution API: execute, get, chunks, cancel."""

import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import FileResponse, Response
from pydantic import ValidationError

from devstack.databricks import faults
from devstack.databricks.statements import Order, Statements
from devstack.databricks.store import Row

BASE = "/api/2.0/sql/statements"
_Body = Annotated[dict[str, Any], Body(default_factory=dict)]


class StatementsApi:
    """The routes over the statements."""

    def __init__(self, statements: Statements, url: str) -> None:
        self.statements = statements
        self.url = url

    def router(self) -> APIRouter:
        """Return the routes."""
        routes, one = APIRouter(), BASE + "/{statement_id}"
        routes.add_api_route(BASE, self.execute, methods=["POST"])
        routes.add_api_route(one, self.get, methods=["GET"])
        routes.add_api_route(one + "/result/chunks/{index}", self.get_chunk, methods=["GET"])
        routes.add_api_route(one + "/cancel", self.cancel, methods=["POST"])
        routes.add_api_route("/results/{statement_id}/{index}", self.linked, methods=["GET"])
        return routes

    async def execute(self, body: _Body) -> Response:
        """Start a statement and wait for it as long as asked."""
        try:
            order = Order.model_validate(body)
        except ValidationError as error:
            raise faults.explain(error) from error
        return self._answer(await self.statements.execute(order))

    async def get(self, statement_id: str) -> Response:
        """Describe a statement, with its first rows when it succeeded."""
        return self._answer(self.statements.find(statement_id))

    async def get_chunk(self, statement_id: str, index: int) -> Response:
        """Return some of a statement's rows."""
        row = self.statements.find(statement_id)
        self.statements.chunk_file(row, index)
        return _raw(self._chunk(row, self.statements.manifest(row) or {}, index))

    async def cancel(self, statement_id: str) -> dict[str, Any]:
        """Ask for the end of a statement."""
        await self.statements.cancel(statement_id)
        return {}

    async def linked(self, statement_id: str, index: int, key: str = "") -> Response:
        """Return the bare rows that an external link stands for."""
        if not secrets.compare_digest(key.encode(), self.statements.key.encode()):
            message = "This link is not good (any more). Repair: ask for a new one."
            raise faults.Fault(403, "PERMISSION_DENIED", message)
        file = self.statements.chunk_file(self.statements.find(statement_id), index)
        return FileResponse(file, media_type="application/json")

    def _answer(self, row: Row) -> Response:
        body: dict[str, Any] = {"statement_id": row["statement_id"], "status": self._status(row)}
        manifest = self.statements.manifest(row)
        if manifest is None:
            return _raw(_json(body))
        body["manifest"] = manifest
        return _raw(_json(body)[:-1] + f',"result":{self._chunk(row, manifest, 0)}}}')

    def _status(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {"state": self.statements.state(row)}
        if row["error_code"] and found["state"] == "FAILED":
            found["error"] = {"error_code": row["error_code"], "message": row["message"]}
        if row["sql_state"]:
            found["sql_state"] = row["sql_state"]
        return found

    def _chunk(self, row: Row, manifest: dict[str, Any], index: int) -> str:
        """Write one chunk as the `result` object; its rows are copied, not parsed."""
        if not manifest["chunks"]:
            return '{"chunk_index":0,"row_offset":0,"row_count":0,"data_array":[]}'
        info = manifest["chunks"][index]
        found = {name: info[name] for name in ("chunk_index", "row_offset", "row_count")}
        if index + 1 < manifest["total_chunk_count"]:
            link = f"{BASE}/{row['statement_id']}/result/chunks/{index + 1}"
            found |= {"next_chunk_index": index + 1, "next_chunk_internal_link": link}
        if row["spec"]["disposition"] == "EXTERNAL_LINKS":
            address = f"{self.url}/results/{row['statement_id']}/{index}?key={self.statements.key}"
            found |= {"byte_count": info["byte_count"], "external_link": address}
            return _json({"external_links": [{**found, "expiration": self.statements.expiry()}]})
        text = self.statements.chunk_file(row, index).read_text(encoding="utf-8")
        return _json(found)[:-1] + f',"data_array":{text}}}'


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _raw(text: str) -> Response:
    return Response(text, media_type="application/json")
