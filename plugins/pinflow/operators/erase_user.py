"""Erase one user from the lake: what is to be erased, and the objects without their lines."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from pinflow import paths
from pinflow.erasure import Lines, Request, User, blank, drop, pack_posts, zipped
from pinflow.errors import EraseError
from pinflow.hooks.lake import LakeHook
from pinflow.settings import TABLES, Settings, load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

Change = Callable[[bytes], Lines]
# nothing else is opened: other people's objects stay as they are
_ID_FILE = re.compile(r"manifests/(?:posts|pin|geo|user)/[^/]+/[^/]+/[^/]+\.jsonl\.gz")
_SNAPSHOT = re.compile(
    r"reconcile/[^/]+/[^/]+/[^/]+/(?P<table>posts|pin|geo|user)/partition=0/[^/]+\.json\.gz"
)


class PlanErasureOperator(BaseOperator):
    """Validate the param `erase` and say where to look; skip what follows when it is null.

    Returns `{"wanted": {...}, "objects": [...]}`, without the name. Raises EraseError.
    """

    template_fields: Sequence[str] = ()

    def execute(self, context: "Context") -> dict[str, Any]:
        """Look at the params."""
        params = context["params"]
        if params["erase"] is None:
            raise AirflowSkipException("The param `erase` is null: nobody is to be erased")
        if params["rebuild"]:
            raise EraseError(
                "A run erases or rebuilds, and `rebuild` is on.", "trigger one run for each, `erase` first."
            )
        request, settings = Request.parse(params["erase"]), load_settings()
        root, topic = f"s3://{settings.bucket}", paths.topic(settings.user_id, "user")
        objects = [f"{root}/topics/{topic}/partition=*/*.json", f"{root}/reconcile/*/*/*/user/partition=0/*"]
        self.log.info(
            "To erase: user %s (SHA-256 of the name). Erase them in the source first: a load or rebuild "
            "brings back what the source has. Kafka keeps its records until its own retention removes them",
            request.digest[:8],
        )
        return {"wanted": request.to_json(), "objects": objects}


class EraseObjectsOperator(BaseOperator):
    """Rewrite landed objects, snapshots and id files without one user's lines; nothing else is written.

    In landed objects and snapshots a row of nobody takes each line's place, so that every other line keeps
    its offset. Objects of pin and geo go before those of user, by which a user is found.

    :param found: what the job find_user returned (templated).

    Returns `{"posts": uri of their ids, "found", "name_sha256", "objects": lines by object}`. Raises
    EraseError or LakeError.
    """

    template_fields: Sequence[str] = ("found",)

    def __init__(self, *, found: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found = found

    def execute(self, context: "Context") -> dict[str, Any]:
        """List, read, write what changes, count."""
        settings, lake = load_settings(), LakeHook()
        request = Request.parse(context["params"]["erase"])
        user = self._user(request)
        run = paths.run_hash_of(context)
        posts = f"s3://{settings.bucket}/manifests/erased/{run}.jsonl"
        lake.write(posts, pack_posts(iter(sorted(user.posts))))
        changed: dict[str, int] = {}
        for key, change in changes(settings, lake, user):
            uri = f"s3://{settings.bucket}/{key}"
            content, count = change(lake.read(uri))
            if count:
                lake.write(uri, content)
                changed[key] = count
                self.log.info("%s: %d lines erased", key, count)
        self.log.info("%d lines of %d objects erased", sum(changed.values()), len(changed))
        found = {name: value for name, value in self.found.items() if name != "posts"}
        return {"posts": posts, "found": found, "name_sha256": request.digest, "objects": changed}

    def _user(self, request: Request) -> User:
        if not isinstance(self.found, dict) or "posts" not in self.found:
            raise EraseError("find_user handed on no posts.", "clear `find_user`; what follows runs again.")
        identity = (self.found["age"], self.found["date_joined"]) if self.found["known"] else None
        posts = frozenset(self.found["posts"])
        return User(posts, request.user_name, identity, self.found["sole"])


def changes(settings: Settings, lake: LakeHook, user: User) -> Iterator[tuple[str, Change]]:
    """Yield the keys that may hold lines of the user, and how each loses them; user objects come last."""
    dropped = partial(zipped, partial(drop, posts=user.posts))
    for stored in lake.stored(settings.bucket, "manifests/"):
        if _ID_FILE.fullmatch(stored.key):
            yield stored.key, dropped
    for table in TABLES:
        blanked = partial(blank, table=table, user=user)
        prefix = f"topics/{paths.topic(settings.user_id, table)}/"
        for stored in lake.stored(settings.bucket, prefix):
            if paths.start_offset(stored.key) is not None:
                yield stored.key, blanked
    for table in ("posts", *TABLES):
        change = dropped if table == "posts" else partial(zipped, partial(blank, table=table, user=user))
        for stored in lake.stored(settings.bucket, "reconcile/"):
            found = _SNAPSHOT.fullmatch(stored.key)
            if found and found["table"] == table:
                yield stored.key, change
