"""Errors as Databricks answers them: a status, an `error_code` and a message that ends with a repair."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException


class Fault(Exception):  # noqa: N818 - the word of this room, as in AWS and SOAP
    """A refused request."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> JSONResponse:
        """Write the fault as an answer."""
        return JSONResponse({"error_code": self.code, "message": self.message}, status_code=self.status)


def invalid(message: str) -> Fault:
    """Return the fault of a bad body or parameter."""
    return Fault(400, "INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Fault:
    """Return the fault of something that is not there."""
    return Fault(404, "NOT_FOUND", message)


def no_run(run_id: int) -> Fault:
    """Return the fault of an unknown run."""
    return invalid(f"Run {run_id} does not exist. Repair: runs/list shows the runs there are.")


def unforeseen(error: Exception) -> str:
    """Return the message of an error that nobody expected; its traceback is in the log."""
    return (
        f"{type(error).__name__}: {error}. Repair: mend what it says (a full disk, a service that is down) "
        "and try again; the traceback is shown by `python -m devstack logs databricks`."
    )


def explain(error: ValidationError | RequestValidationError) -> Fault:
    """Turn a validation error into one sentence a wrong field."""
    parts = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"] if part not in ("body", "query")) or "the body"
        parts.append(f"{place}: {item['msg'].removeprefix('Value error, ')}")
    return invalid(f"{'; '.join(parts)}. Repair: correct the request and send it again.")


def register(app: FastAPI) -> None:
    """Make the application answer every error in Databricks' shape."""

    @app.exception_handler(Fault)
    async def fault(_: Request, error: Fault) -> JSONResponse:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        return explain(error).response()

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        what = f"{request.method} {request.url.path}"
        message = (
            f"No API found for '{what}' ({error.detail}). Repair: the local endpoint has only jobs/runs "
            "(submit, get, get-output, list, cancel, delete), sql/statements, fs/files and fs/directories."
        )
        return Fault(error.status_code, "ENDPOINT_NOT_FOUND", message).response()

    @app.exception_handler(Exception)  # the server gets the error as well, and logs its traceback
    async def broken(_: Request, error: Exception) -> JSONResponse:
        return Fault(500, "INTERNAL_ERROR", unforeseen(error)).response()
