from fateflow.scheduler.snapshots import cause
from fateflow.store.orm import TaskRow


def row(error):
    return TaskRow(
        role="guest",
        party_id="9999",
        component_name="lr_0",
        party_status="failed",
        party_position=0,
        end_time=1,
        error_report=error,
    )


def test_a_cause_names_the_party_and_the_component_once():
    for error in ("lr_0: no rows\nTraceback", "no rows"):
        assert cause([row(error)]) == "guest 9999, lr_0: no rows"


def test_without_words_the_status_is_the_cause():
    assert cause([row("")]) == "guest 9999, lr_0: failed"
