"""The name of what makes results: the same for the same code and codecs, another one for others."""

from importlib.metadata import version

import pytest

from moviola_workers import engine_id as module
from moviola_workers.engine_id import engine_id


@pytest.fixture(autouse=True)
def _fresh():
    engine_id.cache_clear()
    yield
    engine_id.cache_clear()


def known_as(monkeypatch, name, change):
    """What the engine is called if what *name* lists were another."""
    real = getattr(module, name)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, lambda: change(list(real())))
        engine_id.cache_clear()
        return engine_id()


def test_it_is_the_same_again():
    first = engine_id()
    engine_id.cache_clear()
    assert engine_id() == first
    assert len(first) == 16


def test_a_line_of_code_a_font_or_a_codec_makes_it_another(monkeypatch):
    first = engine_id()
    names = [name for name, _ in module._code()]
    for wanted in ("moviola_workers/engine/rendering.py", "moviola/geometry.py"):
        assert wanted in names
    assert any(name.startswith("moviola_workers/fonts/") and name.endswith(".ttf") for name in names)
    assert known_as(monkeypatch, "_code", lambda found: [*found[:-1], (found[-1][0], found[-1][1] + b"\n")]) != first
    assert known_as(monkeypatch, "_codecs", lambda found: [(found[0][0], b""), *found[1:]]) != first


def test_the_codecs_are_known_by_the_digests_of_their_files():
    codecs = dict(module._codecs())
    record = codecs[f"av {version('av')}"].decode()
    (line,) = [line for line in record.splitlines() if "libavcodec" in line]
    assert "sha256=" in line
    assert "bin/" not in record, "scripts differ from place to place"
    assert len(record.splitlines()) > 20


async def test_a_worker_tells_it_with_its_sign_of_life_and_its_results(bench):
    alive = await bench.hear(lambda message: message.type == "worker.alive")
    done = await bench.end_of(await bench.send(await bench.task("copy")))
    assert alive.engine == done.engine == engine_id()
