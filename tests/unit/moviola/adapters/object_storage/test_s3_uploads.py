"""How an upload is cut to parts."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.adapters.object_storage import s3_uploads
from moviola.adapters.object_storage.s3_uploads import part_size, parts_of

TIB = 2**40
LARGEST_PART = 5 * 2**30


def test_ten_thousand_parts_are_enough_for_the_largest_object() -> None:
    assert sum(part_size(number) for number in range(10_000)) >= 5 * TIB


def test_every_part_has_a_size_that_s3_takes() -> None:
    assert all(5 * 2**20 <= part_size(number) <= LARGEST_PART for number in range(10_000))


async def pieces_of(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(chunks=st.lists(st.binary(max_size=40), max_size=12))
async def test_chunks_of_any_sizes_become_full_parts_and_a_rest(chunks: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_uploads, "PART", 8)
        patch.setattr(s3_uploads, "PARTS_OF_A_SIZE", 3)

        parts = [part async for part in parts_of(pieces_of(chunks))]
        sizes = [part_size(number) for number in range(len(parts))]

    assert b"".join(parts) == b"".join(chunks)
    assert [len(part) for part in parts[:-1]] == sizes[:-1]
    assert len(parts[-1]) <= sizes[-1]
    assert parts[-1] or len(parts) == 1
