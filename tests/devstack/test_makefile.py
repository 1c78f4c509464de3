import subprocess

from devstack.config import REPO


def recipe(*arguments):
    """The last line that make would hand to the shell."""
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", *arguments],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.replace("\\\n", "").splitlines()[-1]


def test_what_a_person_types_reaches_the_shell_as_it_is():
    query = "SELECT '$1', $(y, $$"
    spoken = query.replace("'", "'\\''")
    assert recipe("sql", f"Q={query}").endswith(f"sql --format 'table' -- '{spoken}'")


def test_make_reads_nothing_in_what_a_person_types():
    subprocess.run(["make", "help", "Q=SELECT $(y"], cwd=REPO, check=True, stdout=subprocess.DEVNULL)


def test_another_folder_of_environments_is_used():
    assert recipe("bench", "DEVSTACK_VENV_DIR=/tmp/a b").startswith("'/tmp/a b'/airflow/bin/python -m bench")


def test_a_folder_and_a_rate_reach_the_seed_as_they_are():
    assert recipe("seed", "SOURCE=/tmp/it's $(y").rstrip().endswith("--source '/tmp/it'\\''s $(y'")
    assert recipe("seed", "LIVE=10; ls").rstrip().endswith("--live '10; ls'")


def test_a_backfill_runs_backwards_only_when_told_so():
    days = ["backfill", "FROM=2022-10-15", "TO=2022-10-17", "REPROCESS=failed"]
    forwards = "backfill '2022-10-15' '2022-10-17' --reprocess 'failed'"
    for words in ([], ["RUN_BACKWARDS="], ["RUN_BACKWARDS=0"]):
        assert recipe(*days, *words).rstrip().endswith(forwards)
    backwards = recipe(*days, "RUN_BACKWARDS=1").split()
    assert " ".join(backwards).endswith(f"{forwards} --run-backwards")
