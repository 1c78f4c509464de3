"""Rows of a .sql file as mysqldump writes it: CREATE TABLE orders the columns, INSERT gives the rows."""

# sqlglot's tokens and no scratch database: nothing a file says is executed, and each value keeps its line;
# its texts are cut out of the file by position, since sqlglot reads \0, \Z and \v otherwise than MySQL

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from devstack.source.columns import Table, create_table
from devstack.source.dump.faults import Faults, UnreadableError
from devstack.source.dump.record import LONGEST, Record, lines, too_long
from devstack.source.dump.values import Given, Number, Other, is_number, shown

PART = 2**18
PASSED_OVER = {
    "SET", "LOCK", "UNLOCK", "DROP", "ALTER", "CREATE", "USE", "START", "BEGIN", "COMMIT",
    "ANALYZE", "DELIMITER",
}  # fmt: skip
QUOTED = (TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.IDENTIFIER)
BEFORE_NAME = {"INTO", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"}
INTRODUCERS = {"_binary", "_utf8", "_utf8mb3", "_utf8mb4", "_ascii"}
ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_ESCAPED = {quote: re.compile(rf"\\(.)|{quote}{quote}", re.DOTALL) for quote in "'\""}


class Tokenizer(MySQL.Tokenizer):
    """Looks into every statement; sqlglot would cut some, REPLACE too, at the first semicolon of a text."""

    COMMANDS: ClassVar[set[TokenType]] = set()


@dataclass(frozen=True)
class Statement:
    """The tokens of a statement, with the part of the file they were cut from and the part's first line."""

    begun: int
    text: str
    tokens: Sequence[Token]

    @property
    def verb(self) -> str:
        """The first word; sqlglot takes `LOCK TABLES` for one."""
        return self.tokens[0].text.upper().split()[0]

    def said(self, first: Token, last: Token) -> str:
        """Return what was written from one token to another."""
        return self.text[first.start : last.end + 1]

    def line(self, token: Token) -> int:
        """Return the line a token begins in."""
        return self.begun + self.text.count("\n", 0, token.start)

    def unreadable(self, token: Token, expected: str) -> UnreadableError:
        """Say that the statement cannot be read from a token on."""
        return UnreadableError(self.line(token), shown(self.said(token, self.tokens[-1])), expected)


def rows(path: Path, table: Table, faults: Faults) -> Iterator[Record]:
    """Yield the rows; what cannot be read is added to the faults."""
    order: Sequence[str] = ()
    for statement in _statements(path):
        first, verb = statement.tokens[0], statement.verb
        try:
            if verb in ("INSERT", "REPLACE"):
                yield from _insert(statement, path.name, table, order, faults)
            elif [token.text.upper() for token in statement.tokens[:2]] == ["CREATE", "TABLE"]:
                order = _columns(statement, table)
                faults.names(table, path.name, statement.line(first), order)
            elif verb not in PASSED_OVER or (verb == "SET" and _changes_quoting(statement)):
                raise statement.unreadable(first, "CREATE TABLE and INSERT, quoted in MySQL's usual way")
        except UnreadableError as error:
            faults.add(path.name, error.line, "", error.found, error.expected)


def _statements(path: Path) -> Iterator[Statement]:
    """Cut the file into statements; a part that ends within a text is read on and looked at again."""
    begun, parts, size, enough = 1, [""], 0, PART
    for _, line in lines(path):
        parts.append(line)
        size += len(line)
        if size > LONGEST:
            raise too_long(begun, "".join(parts).lstrip())
        if size < enough or not line.rstrip().endswith(";"):
            continue
        text = "".join(parts)
        tokens = _tokens(text)
        if tokens is None:
            parts, enough = [text], size + size // 2
            continue
        yield from _cut(begun, text, tokens)
        ends = [token.end + 1 for token in tokens if token.token_type is TokenType.SEMICOLON]
        done = ends[-1] if ends else 0
        begun += text.count("\n", 0, done)
        parts, size, enough = [text[done:]], len(text) - done, PART
    yield from _rest(begun, "".join(parts))


def _rest(begun: int, text: str) -> Iterator[Statement]:
    tokens = _tokens(text)
    if tokens is None:
        raise UnreadableError(begun, shown(text.lstrip()), "quotes and comments that are closed")
    yield from _cut(begun, text, tokens)
    if tokens and tokens[-1].token_type is not TokenType.SEMICOLON:
        raise Statement(begun, text, tokens).unreadable(tokens[-1], "a ; at the end (is the file whole?)")


def _tokens(text: str) -> list[Token] | None:
    try:
        return Tokenizer(dialect=MySQL).tokenize(text)
    except SqlglotError:
        return None


def _cut(begun: int, text: str, tokens: list[Token]) -> Iterator[Statement]:
    first = 0
    for at, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON:
            if at > first:
                yield Statement(begun, text, tokens[first:at])
            first = at + 1


def _changes_quoting(statement: Statement) -> bool:
    said = statement.said(statement.tokens[0], statement.tokens[-1]).upper()
    return "NO_BACKSLASH_ESCAPES" in said or "ANSI_QUOTES" in said


def _columns(statement: Statement, table: Table) -> Sequence[str]:
    first, last = statement.tokens[0], statement.tokens[-1]
    try:
        name, columns = create_table(statement.said(first, last))
    except (SqlglotError, ValueError) as error:
        raise statement.unreadable(first, f"a CREATE TABLE with columns ({error})") from error
    _check_name(statement, first, name, table)
    return tuple(columns)


def _check_name(statement: Statement, at: Token, name: str, table: Table) -> None:
    if name != table.name:
        raise statement.unreadable(at, f"statements of the table {table.name} only")


def _insert(
    statement: Statement, file: str, table: Table, order: Sequence[str], faults: Faults
) -> Iterator[Record]:
    tokens = statement.tokens
    words = [token.text.upper() if token.token_type not in QUOTED else "" for token in tokens[:200]]
    at = next((words.index(word) for word in ("VALUES", "VALUE") if word in words), 0)
    head = [token for token, word in zip(tokens[1:at], words[1:at], strict=True) if word not in BEFORE_NAME]
    opening = next((n for n, token in enumerate(head) if token.token_type is TokenType.L_PAREN), len(head))
    if not at or not opening:
        raise statement.unreadable(tokens[0], "INSERT INTO ... VALUES (...)")
    _check_name(statement, head[opening - 1], head[opening - 1].text, table)
    if opening < len(head):
        order = [token.text for token in head[opening + 1 : -1] if token.token_type is not TokenType.COMMA]
        faults.names(table, file, statement.line(head[opening]), order)
    if not order:
        raise statement.unreadable(tokens[0], "a CREATE TABLE before it, or a list of columns in it")
    line, seen = statement.begun, 0
    for first, values, last in _tuples(statement, at + 1):
        line, seen = line + statement.text.count("\n", seen, first.start), first.start
        if len(values) != len(order):
            faults.add(file, line, "", f"{len(values)} values", f"{len(order)}: {', '.join(order)}")
            continue
        given = (_given(statement, value) for value in values)
        yield Record(line, last.end - first.start, dict(zip(order, given, strict=True)))


def _tuples(statement: Statement, at: int) -> Iterator[tuple[Token, list[list[Token]], Token]]:
    """Yield the rows in brackets: the opening bracket, the tokens of each value, the closing bracket."""
    depth, first = 0, statement.tokens[0]
    values: list[list[Token]] = []
    value: list[Token] = []
    for token in statement.tokens[at:]:
        kind = token.token_type
        if depth == 1 and kind is TokenType.COMMA:
            values.append(value)
            value = []
        elif depth == 1 and kind is TokenType.R_PAREN:
            yield first, [*values, value], token
            depth = 0
        elif depth:
            depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
            value.append(token)
        elif kind is TokenType.L_PAREN:
            depth, values, value, first = 1, [], [], token
        elif kind is not TokenType.COMMA:
            raise statement.unreadable(token, "rows in brackets and nothing behind them")
    if depth or statement.tokens[-1].token_type is not TokenType.R_PAREN:
        raise statement.unreadable(first, "a row in brackets")


def _given(statement: Statement, value: list[Token]) -> Given:
    """Turn the tokens of a value into what MySQL would read."""
    if not value:
        return Other("")
    last = value[-1]
    said = statement.said(value[0], last)
    is_alone = len(value) == 1 or (len(value) == 2 and value[0].text.lower() in INTRODUCERS)
    if is_alone and last.token_type in (TokenType.STRING, TokenType.NATIONAL_STRING):
        return _text(statement.said(last, last))
    if is_alone and last.token_type is TokenType.HEX_STRING:
        return _hexadecimal(last.text) or Other(said)
    if len(value) == 1 and last.token_type is TokenType.NULL:
        return None
    return Number(said) if is_number(said) else Other(said)


def _text(written: str) -> str:
    """Return the text of a literal after MySQL's rules: a letter escaped without a meaning is itself."""
    literal = written.lstrip("nN")
    quote, inner = literal[0], literal[1:-1]
    if "\\" not in inner and quote not in inner:
        return inner
    return _ESCAPED[quote].sub(lambda found: ESCAPES.get(found[1], found[1]) if found[1] else quote, inner)


def _hexadecimal(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode(errors="surrogateescape")
    except ValueError:
        return ""
