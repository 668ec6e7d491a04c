"""Exit statuses, and one line for each error."""

import errno

import pytest

from moviola.errors import FieldError, InvalidRecipe, NoSpace, StorageUnavailable, TaskFailure
from moviola_cli.outcome import BadUse, Outcome, VideoFailed, outcome_of


@pytest.mark.parametrize(
    ("error", "outcome", "sentence"),
    [
        (BadUse("Not so."), Outcome.BAD_USE, "Not so."),
        (InvalidRecipe("No.", [FieldError("/steps/0", "x")]), Outcome.BAD_USE, "No. (at /steps/0)"),
        (VideoFailed("media.corrupt", "Broken."), Outcome.FAILED, "media.corrupt: Broken."),
        (TaskFailure("worker.crashed", "Gone.", permanent=True), Outcome.FAILED, "worker.crashed: Gone."),
        (NoSpace("Full."), Outcome.FAILED, "storage.no_space: Full."),
        (StorageUnavailable("Away."), Outcome.UNREACHABLE, "Away."),
        (KeyboardInterrupt(), Outcome.INTERRUPTED, "interrupted"),
        (FileNotFoundError(errno.ENOENT, "", "x.mp4"), Outcome.BAD_USE, "x.mp4: No such file or directory"),
        (OSError(errno.EADDRINUSE, ""), Outcome.BAD_USE, "the address is taken"),
        (ZeroDivisionError("div"), Outcome.FAILED, "unexpected ZeroDivisionError: div"),
    ],
)
def test_each_error_has_its_status_and_sentence(error: BaseException, outcome: Outcome, sentence: str) -> None:
    status, line = outcome_of(error)

    assert status is outcome
    assert line.startswith(sentence)


def test_of_several_errors_the_one_that_is_ours_is_told() -> None:
    group = BaseExceptionGroup("", [ZeroDivisionError(), ExceptionGroup("", [OSError(), VideoFailed("media.x", "y")])])

    assert outcome_of(group) == (Outcome.FAILED, "media.x: y")
