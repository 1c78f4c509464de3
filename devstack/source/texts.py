"""Plausible titles, descriptions, tags and poster names, cut from seeded tapes of phrases."""

from itertools import product

import numpy as np

from devstack.source.shape import Draws
from devstack.source.words import (
    ADJECTIVES,
    AUDIENCES,
    DECORATIONS,
    POSTER_FIRST,
    POSTER_FORMS,
    POSTER_SECOND,
    SENTENCE_FORMS,
    THINGS,
    TITLE_FORMS,
)

PHRASES = 240
LONGEST_TITLE = 199
LONGEST_DESCRIPTION = 180
TITLE_LENGTHS = ((0.0, 12), (0.25, 37), (0.5, 53), (0.75, 73), (0.97, 120), (0.999, 180), (1.0, 200))
FOREIGN_TITLES = 0.102
CUT_DESCRIPTIONS = 0.375
FOREIGN_DESCRIPTIONS = 0.472
LONG_PLAIN = 0.27
NAME_STEP = 36_847  # has no divisor in common with the number of names


class Tape:
    """Phrases written one after the other; a text is a cut that begins with a phrase."""

    def __init__(self, phrases: list[str], between: str) -> None:
        self.starts = [0]
        for phrase in phrases:
            self.starts.append(self.starts[-1] + len(phrase) + len(between))
        self.starts.pop()
        whole = between.join(phrases)
        self.text = whole + between + whole

    def cut(self, start: float, length: int) -> str:
        """Return at most `length` characters from a phrase on, ended at a word."""
        at = self.starts[int(start * len(self.starts))]
        return self.text[at : self.text.rfind(" ", at, at + length + 1)].rstrip(" ,|-:")


class Texts:
    """The tapes of all categories, filled with the seed's choice of words."""

    def __init__(self, draws: Draws) -> None:
        self.titles = [Tape(_phrases(draws, TITLE_FORMS, things, True), " | ") for things in THINGS.values()]
        self.bodies = [
            Tape(_phrases(draws, SENTENCE_FORMS, things, False), " ") for things in THINGS.values()
        ]
        self.tags = [_tags(things) for things in THINGS.values()]
        self._at, self._length = np.array(TITLE_LENGTHS).T

    def title_lengths(self, quantiles: np.ndarray) -> list[int]:
        """Map uniform draws to title lengths; the median is 50 once cut at a word."""
        lengths: list[int] = np.interp(quantiles, self._at, self._length).astype(int).tolist()
        return lengths

    def title(self, category: int, length: int, start: float, kind: float) -> str:
        """Return a title; one in ten holds other than ASCII, some a quotation or a line feed."""
        text = self.titles[category].cut(start, length)
        if kind < FOREIGN_TITLES:
            return DECORATIONS[int(kind / FOREIGN_TITLES * len(DECORATIONS))].format(text)[:LONGEST_TITLE]
        if kind < FOREIGN_TITLES + 0.03:
            return f'"{text[: LONGEST_TITLE - 2]}"'
        if kind < FOREIGN_TITLES + 0.04:
            return text.replace(" ", "\n", 1)
        return text

    def description(self, category: int, length: float, start: float, kind: float) -> str:
        """Return a description; many are cut at the end, which a no-break space and an ellipsis show."""
        tape = self.bodies[category]
        if kind < CUT_DESCRIPTIONS:
            size = 150 + int(length * (LONGEST_DESCRIPTION - 150 + 1))
            at = tape.starts[int(start * len(tape.starts))]
            return tape.text[at : at + size - 2].rstrip() + "\u00a0…"
        if length < LONG_PLAIN:
            size = 152 + int(length / LONG_PLAIN * 15)
        else:
            size = 24 + int((length - LONG_PLAIN) / (1 - LONG_PLAIN) * 124)
        text = tape.cut(start, size)
        if kind < FOREIGN_DESCRIPTIONS:
            share = (kind - CUT_DESCRIPTIONS) / (FOREIGN_DESCRIPTIONS - CUT_DESCRIPTIONS)
            return DECORATIONS[int(share * len(DECORATIONS))].format(text)[:LONGEST_DESCRIPTION]
        return text.replace(". ", ".\n", 1) if kind > 0.98 else text

    def tag_list(self, category: int, start: float, step: float) -> str:
        """Return nine different tags joined by commas."""
        tags = self.tags[category]
        first, stride = int(start * len(tags)), 1 + int(step * 3)
        return ",".join(tags[(first + n * stride) % len(tags)] for n in range(9))


def _phrases(draws: Draws, forms: tuple[str, ...], things: list[str], title: bool) -> list[str]:
    columns = [
        draws.index(PHRASES, size).tolist() for size in (len(forms), 20, len(things), len(AUDIENCES), 40)
    ]
    phrases = []
    for form, adjective, thing, audience, number in zip(*columns, strict=True):
        phrase = forms[form].format(
            adj=ADJECTIVES[adjective],
            thing=things[thing],
            other=things[(thing + 5) % len(things)],
            audience=AUDIENCES[audience],
            n=number + 3,
            year=2017 + number % 6,
        )
        phrases.append(phrase[0].upper() + phrase[1:] if title else phrase)
    return phrases


def _tags(things: list[str]) -> list[str]:
    """Return 37 tags, so that strides of one to three meet nine different ones."""
    pairs = [f"{adjective} {thing}" for thing, adjective in product(things, ADJECTIVES[::7])]
    return [" ".join(word.capitalize() for word in pair.split()) for pair in [*pairs, f"{things[0]} ideas"]]


def poster_name(number: int) -> str:
    """Return the name of a number; different numbers have different names."""
    total = len(POSTER_FIRST) * len(POSTER_SECOND) * len(POSTER_FORMS)
    mixed, again = number % total * NAME_STEP % total, number // total
    mixed, first = divmod(mixed, len(POSTER_FIRST))
    form, second = divmod(mixed, len(POSTER_SECOND))
    name = POSTER_FORMS[form].format(POSTER_FIRST[first], POSTER_SECOND[second])
    return f"{name} {again + 1}" if again else name
