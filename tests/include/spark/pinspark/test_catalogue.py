"""docs/catalogue.md: complete, and safe to read as Markdown."""

import re
from pathlib import Path

import pytest

from pinspark.catalogue import catalogue
from pinspark.contracts import TABLES, load_contract
from pinspark.tables import all_tables
from tests.include.conftest import SQL


@pytest.fixture(scope="module")
def page() -> str:
    return catalogue(SQL)


def section(page: str, title: str) -> str:
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def test_every_table_stands_there_with_its_grain_and_its_columns(page: str) -> None:
    for table in all_tables():
        said = section(page, f"`{table.schema}.{table.name}`")
        assert table.grain in said
        twin = re.search(r"those of `silver\.(\w+)`", said)
        said += section(page, f"`silver.{twin[1]}`") if twin else ""
        for column in table.columns:
            assert f"| `{column.name}` | `{column.type}` |" in said, f"{table.name}.{column.name}"
            assert column.doc in said


def test_keys_origins_markers_and_bounds_are_told(page: str) -> None:
    pin, geo = section(page, "`silver.pin`"), section(page, "`silver.geo`")
    assert "key ind" in pin
    assert "| `ind` | `INT` | no | Id of the post | `index` |" in pin
    assert "`follower_count` as a number (k 1000, M 1000000); null markers: `User Info Error`" in pin
    assert "`latitude` and `longitude`" in geo
    assert "minimum: `-90`; maximum: `90`" in section(page, "`geolocation_data` to `silver.geo`")


def test_every_field_and_every_rule_stands_there(page: str) -> None:
    for contract in map(load_contract, TABLES):
        said = section(page, f"`{contract.source_table}` to `silver.{contract.table}`")
        rules = section(page, contract.table)
        assert all(f"| `{field.name}` | {field.wire} |" in said for field in contract.source)
        assert all(f"| `{rule.name}` | {rule.action} | {rule.doc} |" in rules for rule in contract.quality)


def test_the_diagram_has_every_published_table_and_words_that_mermaid_reads(page: str) -> None:
    diagram = page.split("```mermaid\n")[1].split("```")[0].splitlines()
    entities = {line.split()[0] for line in diagram if line.endswith(" {")}
    assert entities == {table.name for table in all_tables() if table.schema == "silver"}
    attributes = [line for line in diagram if line.startswith("    ")]
    assert all(re.fullmatch(r"    [A-Z]+(\([A-Z]+\))? \w+( PK)?", line) for line in attributes)
    assert sum(line.endswith(" PK") for line in attributes) == len(TABLES)


def test_rows_of_a_grid_are_as_wide_as_its_head(page: str) -> None:
    for grid in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in grid.splitlines()}) == 1, grid


def test_files_of_star_and_serving_are_listed_by_their_headers(tmp_path: Path) -> None:
    files = {
        "contracts/star.yaml": "dim_user: {key: [id], columns: {id: {type: STRING, doc: Key}, age: {type: INT, doc: Years}}}\n"
        "fact_post: {key: [ind], refers: {user_id: dim_user}, columns: {ind: {type: INT, doc: Id}, user_id: {type: STRING, doc: User}}}\n",
        "sql/star/dim_user.sql": "-- Users.\n-- grain: one row per user\n-- reads: {{ silver }}.user\n-- params: gold\nSELECT 1\n",
        "sql/star/fact_post.sql": "-- Posts.\n-- grain: one row per post\n-- reads: {{ silver }}.pin\n-- params: gold\nSELECT 1\n",
        "sql/serving/wide.sql": "-- what: Wide; one | two\n-- grain: one row per post\n-- reads: {{ gold }}.fact_post\n-- params: gold\nSELECT 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    made = catalogue(tmp_path / "sql")
    assert r"| `gold.wide` | Wide; one \| two | one row per post | gold.fact_post |" in made
    assert "Users. Grain: one row per user; key id; reads silver.user." in section(made, "`gold.dim_user`")
    assert "| `age` | `INT` | Years |" in section(made, "`gold.dim_user`")
    assert '  fact_post }o--|| dim_user : "user_id"' in made
    assert "    STRING user_id FK" in made
    assert "| `gold.post_wide` | " in catalogue(SQL)
