"""What the frame of a file says of its own length."""

from pathlib import Path

from moviola_workers.engine.truncation import elements

EBML_HEADER = b"\x1a\x45\xdf\xa3\x80"
SEGMENT = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
VOID = b"\xec"


def test_an_element_that_claims_more_than_any_file_can_hold_is_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "absurd.mkv"
    path.write_bytes(EBML_HEADER + SEGMENT + VOID + b"\x01\x7f\xff\xff\xff\xff\xff\xff" + b"rest")

    with path.open("rb") as file:
        assert list(elements(file)) == [0xEC]
