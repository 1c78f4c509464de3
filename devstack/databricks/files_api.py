"""The Files API over the lake's bucket: `/Volumes/...` is the prefix `volumes/` there.

A file may have up to 5 GiB, as in Databricks; bodies are streamed through a temporary file.
"""

import tempfile
from collections.abc import AsyncIterator
from typing import Any

from botocore.exceptions import ClientError
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from devstack.config import Settings
from devstack.databricks import faults
from devstack.databricks.code import VOLUMES, place
from devstack.s3proxy import client

MAX_BYTES = 5 * 2**30
PIECE = 2**20
SPOOLED = 8 * 2**20
PAGE = 1000
FILES, DIRECTORIES = "/api/2.0/fs/files/{path:path}", "/api/2.0/fs/directories/{path:path}"


def _absolute(path: str) -> str:
    parts = path.split("/")
    if len(parts) < 4 or parts[0] != "Volumes" or ".." in parts or not all(parts[1:4]):
        raise faults.Fault(
            400,
            "BAD_REQUEST",
            f"'/{path}' is no place in a volume. Repair: use /Volumes/<catalog>/<schema>/<volume>/<path>.",
        )
    return f"/{path}"


class Files:
    """Reads and writes objects of the bucket; every call blocks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.s3: Any = client(settings)

    def where(self, path: str) -> dict[str, str]:
        """Return bucket and key of a path in a volume."""
        bucket, key = place(self.settings, _absolute(path))
        return {"Bucket": bucket, "Key": key}

    def head(self, path: str) -> dict[str, Any] | None:
        """Describe a file; None when it is absent."""
        try:
            found: dict[str, Any] = self.s3.head_object(**self.where(path))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return found

    def must(self, path: str) -> dict[str, Any]:
        """Describe a file; raises Fault when it is absent."""
        found = self.head(path)
        if found is None:
            raise faults.missing(f"The file '/{path}' does not exist.")
        return found

    def write(self, path: str, body: Any, overwrite: bool) -> None:
        """Store a file; raises Fault when it exists and may not be replaced."""
        if not overwrite and self.head(path) is not None:
            raise faults.Fault(
                409,
                "ALREADY_EXISTS",
                f"The file '/{path}' exists. Repair: send overwrite=true to replace it.",
            )
        where = self.where(path)
        self.s3.upload_fileobj(body, where["Bucket"], where["Key"])

    def read(self, path: str, span: str | None) -> dict[str, Any]:
        """Open a file, or a span of it, for reading."""
        self.must(path)
        found: dict[str, Any] = self.s3.get_object(**self.where(path), **({"Range": span} if span else {}))
        return found

    def list(self, path: str, size: int, token: str | None) -> dict[str, Any]:
        """List one level of a folder; raises Fault when nothing is there."""
        where = self.where(path.rstrip("/") + "/")
        page = self.s3.list_objects_v2(
            Bucket=where["Bucket"],
            Prefix=where["Key"],
            Delimiter="/",
            MaxKeys=size,
            **({"ContinuationToken": token} if token else {}),
        )
        entries = [self._entry(item["Prefix"].rstrip("/"), None) for item in page.get("CommonPrefixes", ())]
        items = page.get("Contents", ())
        entries += [self._entry(item["Key"], item) for item in items if item["Key"] != where["Key"]]
        if not entries and not items and not token and path.count("/") > 3:
            raise faults.missing(f"The directory '/{path}' does not exist.")
        found: dict[str, Any] = {"contents": entries}
        if page.get("NextContinuationToken"):
            found["next_page_token"] = page["NextContinuationToken"]
        return found

    def remove(self, path: str) -> None:
        """Delete an object."""
        self.s3.delete_object(**self.where(path))

    def make(self, path: str) -> None:
        """Mark a directory, which may hold nothing yet."""
        self.s3.put_object(**self.where(path.rstrip("/") + "/"), Body=b"")

    @staticmethod
    def _entry(key: str, item: dict[str, Any] | None) -> dict[str, Any]:
        path = f"/Volumes/{key.removeprefix(f'{VOLUMES}/')}"
        found: dict[str, Any] = {"path": path, "name": path.rsplit("/", 1)[-1], "is_directory": item is None}
        if item:
            found |= {
                "file_size": item["Size"],
                "last_modified": int(item["LastModified"].timestamp() * 1000),
            }
        return found


async def _spool(request: Request, file: Any) -> None:
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total > MAX_BYTES:
            raise faults.invalid(
                f"The file is larger than {MAX_BYTES} bytes. Repair: write it to S3 in parts."
            )
        await run_in_threadpool(file.write, piece)
    file.seek(0)


def _headers(found: dict[str, Any]) -> dict[str, str]:
    return {
        "content-length": str(found["ContentLength"]),
        "content-type": found.get("ContentType", "application/octet-stream"),
        "last-modified": found["LastModified"].strftime("%a, %d %b %Y %H:%M:%S GMT"),
        **({"content-range": found["ContentRange"]} if "ContentRange" in found else {}),
    }


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    while piece := await run_in_threadpool(body.read, PIECE):
        yield piece


class FilesApi:
    """The routes over the files."""

    def __init__(self, settings: Settings) -> None:
        self.files = Files(settings)

    def router(self) -> APIRouter:
        """Return the routes."""
        routes = APIRouter()
        for method, answer in (
            ("PUT", self.put),
            ("GET", self.get),
            ("HEAD", self.head),
            ("DELETE", self.delete),
            ("POST", self.initiate),
        ):
            routes.add_api_route(FILES, answer, methods=[method], response_model=None)
        for method, answer in (
            ("PUT", self.make),
            ("GET", self.entries),
            ("HEAD", self.exists),
            ("DELETE", self.remove),
        ):
            routes.add_api_route(DIRECTORIES, answer, methods=[method], response_model=None)
        return routes

    async def put(self, path: str, request: Request, overwrite: bool = False) -> Response:
        """Store a file."""
        with tempfile.SpooledTemporaryFile(SPOOLED) as body:
            await _spool(request, body)
            await run_in_threadpool(self.files.write, path, body, overwrite)
        return Response(status_code=204)

    async def get(self, path: str, request: Request) -> Response:
        """Send a file, or a span of it."""
        found = await run_in_threadpool(self.files.read, path, request.headers.get("range"))
        status = 206 if "ContentRange" in found else 200
        return StreamingResponse(_pieces(found["Body"]), status_code=status, headers=_headers(found))

    async def head(self, path: str) -> Response:
        """Describe a file."""
        return Response(headers=_headers(await run_in_threadpool(self.files.must, path)))

    async def delete(self, path: str) -> Response:
        """Delete a file."""
        await run_in_threadpool(self.files.must, path)
        await run_in_threadpool(self.files.remove, path)
        return Response(status_code=204)

    async def initiate(self, path: str) -> Response:
        """Refuse an upload in parts."""
        raise faults.invalid(
            f"Uploads in parts are not served locally (/{path}). Repair: send it in one PUT; databricks-sdk "
            "does so with disable_experimental_files_api_client=True."
        )

    async def make(self, path: str) -> Response:
        """Make a directory."""
        await run_in_threadpool(self.files.make, path)
        return Response(status_code=204)

    async def entries(self, path: str, page_size: int = PAGE, page_token: str | None = None) -> Response:
        """List a directory."""
        size = max(1, min(page_size or PAGE, PAGE))
        return JSONResponse(await run_in_threadpool(self.files.list, path, size, page_token))

    async def exists(self, path: str) -> Response:
        """Tell whether a directory exists."""
        await run_in_threadpool(self.files.list, path, 1, None)
        return Response()

    async def remove(self, path: str) -> Response:
        """Delete an empty directory."""
        found = await run_in_threadpool(self.files.list, path, 2, None)
        if found["contents"]:
            message = f"The directory '/{path}' is not empty. Repair: delete what it holds first."
            raise faults.Fault(400, "DIRECTORY_NOT_EMPTY", message)
        await run_in_threadpool(self.files.remove, path.rstrip("/") + "/")
        return Response(status_code=204)
