"""The endpoint as one application."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from devstack.asgi import LOCAL
from devstack.config import Settings
from devstack.databricks import faults, page, workspace_api
from devstack.databricks.code import Code
from devstack.databricks.engine import Engine
from devstack.databricks.files_api import FilesApi
from devstack.databricks.jobs_api import JobsApi
from devstack.databricks.runs import Runs
from devstack.databricks.statements import Statements
from devstack.databricks.statements_api import StatementsApi
from devstack.databricks.store import Store
from devstack.databricks.views import Views
from devstack.engine.service import socket_file

HOUSEKEEPING_SECONDS = 300
log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Build the application over the state folder."""
    folder = settings.service_dir("databricks")
    store = Store(folder / "databricks.sqlite")
    engine = Engine(socket_file(settings))
    runs = Runs(folder / "runs", store, engine, Code(settings, folder / "code"))
    statements = Statements(folder / "statements", store, engine)
    views = Views(runs, settings.databricks_url)

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        runs.recover()
        statements.recover()
        keeper = asyncio.create_task(_keep_house(statements))
        yield
        keeper.cancel()

    app = FastAPI(title="Databricks, local", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    _guard(app, settings.databricks_token)
    faults.register(app)
    for router in (
        JobsApi(runs, views).router(),
        StatementsApi(statements, settings.databricks_url).router(),
        FilesApi(settings).router(),
        workspace_api.router(settings.databricks_url),
        page.router(runs, views),
    ):
        app.include_router(router)
    return app


async def _keep_house(statements: Statements) -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        try:
            statements.forget_old()
        except Exception:
            log.exception("Old rows of statements stay for now.")


def _guard(app: FastAPI, token: str) -> None:
    """Ask for the token under /api; serve this machine's own names only, so that no web site reaches it."""

    @app.middleware("http")
    async def check(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path.startswith("/api/"):
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not given:
                message = "No access token. Repair: send 'Authorization: Bearer <token>'."
                return faults.Fault(401, "UNAUTHENTICATED", message).response()
            if not secrets.compare_digest(given.encode(), token.encode()):
                message = "Invalid access token. Repair: use the stack's (DEVSTACK_DATABRICKS_TOKEN)."
                return faults.Fault(403, "PERMISSION_DENIED", message).response()
        return await forward(request)

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOCAL)
