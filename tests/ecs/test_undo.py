"""What is left behind, and the command that takes it away."""

from __future__ import annotations

from levo.ecs.undo import UndoJournal, Update, orphan, way_back
from tests.ecs.definitions import ACCOUNT, service

NEW = f"{ACCOUNT}:task-definition/web:8"


def test_nothing_done_leaves_nothing() -> None:
    assert UndoJournal("eu-west-1").leftovers() == []


def test_a_revision_that_no_service_runs_is_an_orphan() -> None:
    journal = UndoJournal("eu-west-1", profile="my profile", registered=[NEW])

    assert journal.orphans == [NEW]
    assert [str(left) for left in journal.leftovers()] == [
        "revision web:8 was registered and no service uses it; undo it with: aws ecs "
        "deregister-task-definition --task-definition web:8 --region eu-west-1 --profile 'my profile'"
    ]


def test_an_updated_service_is_set_back_by_its_own_command() -> None:
    web = service()
    journal = UndoJournal("eu-west-1", registered=[NEW], updated=[Update(web, NEW)])

    assert journal.orphans == []
    assert [left.text for left in journal.leftovers()] == ["service web was set to web:8 (and is not marked)"]
    assert journal.leftovers()[0].command == (
        "aws ecs update-service --cluster prod --service web --task-definition web:7 --region eu-west-1"
    )
    journal.mark(web)
    assert [left.text for left in journal.leftovers()] == ["service web was set to web:8"]


def test_the_two_commands_alone() -> None:
    assert orphan(NEW, "r", None).command.endswith("--task-definition web:8 --region r")
    assert "--service 'odd name'" in way_back(service("odd name"), "r", None)
