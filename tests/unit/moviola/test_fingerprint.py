"""What a result is known by: all that it follows from, and nothing else."""

import pytest

from moviola.fingerprint import content_of, engines_for, fingerprint
from moviola.plan import RESULT, Edit, Overlay, Pass, Poster, SoundWork
from moviola.video import OutputFile, Worker, utc_now

IMAGE, OTHER_IMAGE = "0191-image", "0192-image"


def edit(**changes: object) -> Edit:
    return Edit.model_validate({"width": 320, "height": 180, "duration": 2.0, **changes})


def trim(**changes: object) -> Pass:
    return Pass.model_validate(
        {"name": "trim", "kind": "trim", "files": (RESULT,), "parameters": edit(duration=1.0), **changes}
    )


def known_by(one: Pass, **changes: object) -> str | None:
    usual: dict[str, object] = {"original": "sha", "made": {}, "images": {}, "engine": "e1"}
    return fingerprint(one, **{**usual, **changes})  # type: ignore[arg-type]  # the tests' own keywords


def test_the_same_pass_on_the_same_bytes_is_known_by_the_same() -> None:
    assert known_by(trim()) == known_by(trim()) is not None
    assert known_by(trim(), made={"resize": "other"}, images={IMAGE: "other"}) == known_by(trim())


@pytest.mark.parametrize(
    "other",
    [
        trim(parameters=edit(duration=1.5)),
        trim(files=()),
        trim(kind="render"),
        trim(parameters=Poster()),
    ],
)
def test_another_work_is_known_by_another(other: Pass) -> None:
    assert known_by(other) not in (known_by(trim()), None)


def test_other_bytes_and_another_engine_are_known_by_another() -> None:
    assert len({known_by(trim()), known_by(trim(), original="other"), known_by(trim(), engine="e2")}) == 3


def test_the_names_of_passes_make_no_difference() -> None:
    one, other = trim(source="resize"), trim(name="trim-2", covers=(3,), source="render")
    assert known_by(one, made={"resize": "x"}) == known_by(other, made={"render": "x"})
    assert known_by(one, made={"resize": "x"}) != known_by(other, made={"render": "y"})
    assert known_by(one, made={"resize": "x"}, original=None) == known_by(one, made={"resize": "x"})


def marked(image: str) -> Pass:
    overlay = Overlay(image=image, position="center", margin=0, opacity=1.0)
    return trim(kind="watermark", parameters=edit(picture=(overlay,)))


def test_an_image_counts_by_its_bytes_and_not_by_its_id() -> None:
    one = known_by(marked(IMAGE), images={IMAGE: "bytes"})
    assert one == known_by(marked(OTHER_IMAGE), images={OTHER_IMAGE: "bytes"}) is not None
    assert one != known_by(marked(IMAGE), images={IMAGE: "other bytes"})


def test_a_measurement_counts_by_what_was_measured() -> None:
    work = SoundWork(target=-16.0, measured="measure")
    one = trim(kind="normalize", needs=("measure",), parameters=edit(sound=work))
    assert known_by(one, made={"measure": "quiet"}) not in (known_by(one, made={"measure": "loud"}), None)


def test_what_is_not_known_by_all_that_it_reads_is_not_known() -> None:
    assert known_by(trim(), original=None) is None
    assert known_by(trim(source="resize")) is None
    assert known_by(trim(needs=("measure",))) is None
    assert known_by(marked(IMAGE)) is None
    assert known_by(trim(), engine="") is None


def output(name: str, sha256: str, key: str = "k") -> OutputFile:
    return OutputFile(name=name, key=key, size=1, sha256=sha256, content_type="video/mp4")


def test_content_is_that_of_all_files_wherever_they_lie() -> None:
    one, two = output("a", "1"), output("b", "2")
    assert content_of([one, two]) == content_of([two, output("a", "1", "elsewhere")])
    assert len({content_of([one, two]), content_of([one]), content_of([output("a", "2"), output("b", "1")])}) == 3


def test_the_engines_are_those_of_the_workers_that_take_the_kind_and_say_theirs() -> None:
    def worker(engine: str, *kinds: str) -> Worker:
        return Worker(id=engine, kinds=kinds, version="1", capacity=1, seen_at=utc_now(), engine=engine)

    workers = [worker("e2", "trim", "probe"), worker("e1", "trim"), worker("e3", "probe"), worker("", "trim")]
    assert engines_for("trim", [*workers, worker("e2", "trim")]) == ["e1", "e2"]
    assert engines_for("mute", workers) == []
