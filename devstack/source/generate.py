"""Rows of the three source tables, from a seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np

from devstack.source import shape
from devstack.source.shape import Draws
from devstack.source.texts import Texts, poster_name
from devstack.source.words import CATEGORIES, COUNTRIES, FIRST_NAMES, LAST_NAMES

CHUNK = 20_000
SUFFIXES = ("", "k", "M")
LAST_UNIT = (999, 999, 15)
NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"
MEDIA = ("image", "video", "multi-video(story page format)")
FOLDERS = ("originals", "videos/thumbnails/originals", "videos/thumbnails/originals")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """What to generate: so many posts from `first` to `last`, both days included."""

    posts: int = 11_154
    first: date = date(2017, 10, 20)
    last: date = date(2022, 10, 18)
    random_seed: int = 1


@dataclass(frozen=True)
class Chunk:
    """Rows of consecutive posts; each list is in the column order of its table."""

    pins: list[Row]
    geos: list[Row]
    users: list[Row]

    @cached_property
    def texts(self) -> tuple[bytes, bytes, bytes]:
        """The rows of each table as LOAD DATA reads them."""
        return as_text(self.pins), as_text(self.geos), as_text(self.users)


class Generator:
    """All numbers of a plan's posts; texts are made chunk by chunk."""

    def __init__(self, plan: Plan) -> None:
        draws = Draws(plan.random_seed)
        self.plan = plan
        self.texts = Texts(draws)
        self.category = shape.category_of(plan.posts)
        self.seconds = shape.timestamps(draws, plan.posts, plan.first, plan.last)
        self.marks = shape.marks(draws, plan.posts)
        self.accounts = shape.accounts(draws, self.marks.user_error, plan.first)
        self._uuid = draws.raw(2 * plan.posts)
        self._image = draws.raw(2 * plan.posts)
        self._uniform = [draws.uniform(plan.posts) for _ in range(8)]
        days = (plan.last - plan.first).days + 1
        begin = np.datetime64(plan.first, "s").astype(np.int64)
        self._elapsed = (self.seconds - begin) / (days * 86_400)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows in the order of their ids."""
        for start in range(0, self.plan.posts, CHUNK):
            part = slice(start, min(start + CHUNK, self.plan.posts))
            yield Chunk(self._pins(part), self._geos(part), self._users(part))

    def _pins(self, part: slice) -> list[Row]:
        categories = self.category[part].tolist()
        columns = zip(
            range(part.start, part.stop),
            self._uuids(part),
            self._titles(part),
            self._descriptions(part),
            self._posters(part),
            self._followers(part),
            self._tags(part),
            [MEDIA[medium] for medium in self.marks.medium[part].tolist()],
            self._images(part),
            [int(not broken) for broken in self.marks.image_error[part].tolist()],
            [f"Local save in /data/{CATEGORIES[category]}" for category in categories],
            [CATEGORIES[category] for category in categories],
            strict=True,
        )
        return list(columns)

    def _geos(self, part: slice) -> list[Row]:
        owner, who = self.accounts.owner[part], self.accounts
        countries = [COUNTRIES[country] for country in who.country[owner].tolist()]
        times = shape.as_datetimes(self.seconds[part])
        places = (who.latitude[owner].tolist(), who.longitude[owner].tolist())
        return list(zip(range(part.start, part.stop), times, *places, countries, strict=True))

    def _users(self, part: slice) -> list[Row]:
        owner, who = self.accounts.owner[part], self.accounts
        firsts = [FIRST_NAMES[first] for first in who.first[owner].tolist()]
        lasts = [LAST_NAMES[last] for last in who.last[owner].tolist()]
        joined = shape.as_datetimes(who.joined[owner])
        ages = who.age[owner].tolist()
        return list(zip(range(part.start, part.stop), firsts, lasts, ages, joined, strict=True))

    def _uuids(self, part: slice) -> list[str]:
        """Return UUIDs of version 4."""
        high = self._uuid[2 * part.start : 2 * part.stop : 2].tolist()
        low = self._uuid[2 * part.start + 1 : 2 * part.stop : 2].tolist()
        ids = []
        for left, right in zip(high, low, strict=True):
            text = f"{left & ~0xF000 | 0x4000:016x}{right & (2**62 - 1) | 2**63:016x}"
            ids.append(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
        return ids

    def _titles(self, part: slice) -> list[str]:
        title = self.texts.title
        starts, lengths, kinds = (self._uniform[n][part] for n in range(3))
        values = [
            title(*given)
            for given in zip(
                self.category[part].tolist(),
                self.texts.title_lengths(lengths),
                starts.tolist(),
                kinds.tolist(),
                strict=True,
            )
        ]
        return _masked(
            values, part, (self.marks.no_title, "No Title Data Available"), (self.marks.empty_title, "")
        )

    def _descriptions(self, part: slice) -> list[str]:
        description = self.texts.description
        draws = (self._uniform[n][part].tolist() for n in (3, 4, 5))
        values = [description(*given) for given in zip(self.category[part].tolist(), *draws, strict=True)]
        return _masked(
            values,
            part,
            (self.marks.medium == shape.STORY, "No description available Story format"),
            (self.marks.no_description, "No description available"),
            (self.marks.untitled, "Untitled"),
        )

    def _posters(self, part: slice) -> list[str]:
        names = self.accounts.name[self.accounts.owner[part]].tolist()
        return _masked(
            [poster_name(name) for name in names], part, (self.marks.user_error, "User Info Error")
        )

    def _followers(self, part: slice) -> list[str]:
        """Return the counts; one that drifts has a unit more from some time on (less at the unit's end)."""
        owner, who = self.accounts.owner[part], self.accounts
        unit, suffix = who.unit[owner], who.suffix[owner]
        step = np.where(unit < np.array(LAST_UNIT)[suffix], 1, -1)
        unit = unit + np.where(self._elapsed[part] > who.drift_at[owner], step, 0)
        values = [f"{n}{SUFFIXES[s]}" for n, s in zip(unit.tolist(), suffix.tolist(), strict=True)]
        return _masked(values, part, (self.marks.user_error, "User Info Error"))

    def _tags(self, part: slice) -> list[str]:
        draws = (self._uniform[n][part].tolist() for n in (6, 7))
        values = [
            self.texts.tag_list(*given) for given in zip(self.category[part].tolist(), *draws, strict=True)
        ]
        return _masked(values, part, (self.marks.no_tags, NO_TAGS))

    def _images(self, part: slice) -> list[str]:
        high = self._image[2 * part.start : 2 * part.stop : 2].tolist()
        low = self._image[2 * part.start + 1 : 2 * part.stop : 2].tolist()
        values = []
        for left, right, medium in zip(high, low, self.marks.medium[part].tolist(), strict=True):
            name = f"{left:016x}{right:016x}"
            path = f"{FOLDERS[medium]}/{name[:2]}/{name[2:4]}/{name[4:6]}/{name}.jpg"
            values.append(f"https://images.example/{path}")
        return _masked(values, part, (self.marks.image_error, "Image src error."))


def _masked(values: list[str], part: slice, *masks: tuple[shape.Bools, str]) -> list[str]:
    """Replace the values of marked posts by the marker."""
    for mask, marker in masks:
        for at in np.flatnonzero(mask[part]).tolist():
            values[at] = marker
    return values


class Hashed:
    """Chunks passed on unchanged, with the SHA-256 of all rows once they are through."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks, self._total = chunks, hashlib.sha256()

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks."""
        for chunk in self._chunks:
            for text in chunk.texts:
                self._total.update(text)
            yield chunk

    @property
    def digest(self) -> str:
        """Digest of the rows so far; the same plan has the same digest everywhere."""
        return self._total.hexdigest()


def digest(plan: Plan) -> str:
    """Return the SHA-256 over all rows of a plan."""
    hashed = Hashed(Generator(plan).chunks())
    for _ in hashed.chunks():
        pass
    return hashed.digest


def as_text(rows: list[Row]) -> bytes:
    r"""Return rows as LOAD DATA reads them: tabs between columns, `\t`, `\n` and `\\` escaped, UTF-8."""
    return "".join(["\t".join([_field(value) for value in row]) + "\n" for row in rows]).encode()


def _field(value: object) -> str:
    if value is None:
        return "\\N"
    text = str(value)
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text
