"""Words the generator's texts are made of; all of them our own."""

import json
from pathlib import Path
from typing import Any

LISTS = Path(__file__).parent / "lists"
_WORDS: dict[str, Any] = json.loads((LISTS / "words.json").read_text(encoding="utf-8"))


def _lines(name: str) -> tuple[str, ...]:
    return tuple((LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def _words(name: str) -> tuple[str, ...]:
    return tuple(_WORDS[name])


COUNTRIES = _lines("countries")
FIRST_NAMES = _lines("first_names")
LAST_NAMES = _lines("last_names")
THINGS: dict[str, list[str]] = _WORDS["things"]
CATEGORIES = tuple(THINGS)
ADJECTIVES = _words("adjectives")
AUDIENCES = _words("audiences")
TITLE_FORMS = _words("title_forms")
SENTENCE_FORMS = _words("sentence_forms")
DECORATIONS = _words("decorations")
POSTER_FIRST = _words("poster_first")
POSTER_SECOND = _words("poster_second")
POSTER_FORMS = _words("poster_forms")
