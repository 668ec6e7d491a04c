"""What an H.264 sequence parameter set says of the pictures (ITU-T H.264, sections 7.3.2.1.1 and E.1)."""

from dataclasses import dataclass

from moviola_workers.engine.nal import Bits

BASELINE, MAIN, HIGH = 66, 77, 100
# Those that have the fields for chroma and depth.
WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
EXTENDED_SAR = 255


@dataclass(frozen=True, slots=True)
class PictureForm:
    """The fields of a sequence parameter set that matter here; sizes in pixels, after cropping."""

    id: int
    profile: int
    level: int
    chroma: int
    depth: int
    references: int
    buffered: int | None
    width: int
    height: int
    frames_only: bool


def form_of(unit: bytes) -> PictureForm:
    """Read a sequence parameter set (section 7.3.2.1.1); ``BrokenUnits`` where it is none."""
    bits = Bits(unit)
    profile, _, level = bits.read(8), bits.read(8), bits.read(8)
    number = bits.unsigned()
    chroma, depth = _chroma(bits) if profile in WITH_CHROMA else (1, 8)
    bits.unsigned()
    _order(bits)
    references = bits.unsigned()
    bits.read()
    across, down = bits.unsigned() + 1, bits.unsigned() + 1
    frames_only = bool(bits.read())
    if not frames_only:
        bits.read()
    bits.read()
    left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.read() else (0, 0, 0, 0)
    lines = 2 - frames_only
    return PictureForm(
        id=number,
        profile=profile,
        level=level,
        chroma=chroma,
        depth=depth,
        references=references,
        buffered=_buffered(bits) if bits.read() else None,
        # Cropping is counted in chroma samples: two pixels of 4:2:0.
        width=across * 16 - (left + right) * 2,
        height=(down * 16 - (top + bottom) * 2) * lines,
        frames_only=frames_only,
    )


def _chroma(bits: Bits) -> tuple[int, int]:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.read()
    depth = 8 + max(bits.unsigned(), bits.unsigned())
    bits.read()
    if bits.read():
        for number in range(12 if chroma == 3 else 8):
            if bits.read():
                _skip_scaling(bits, 16 if number < 6 else 64)
    return chroma, depth


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _order(bits: Bits) -> None:
    """``pic_order_cnt_type`` and what belongs to it."""
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.read()
        bits.signed()
        bits.signed()
        for _ in range(min(bits.unsigned(), 255)):
            bits.signed()


def _buffered(bits: Bits) -> int | None:
    """``max_dec_frame_buffering`` at the end of the VUI (section E.1.1), where it is said."""
    if bits.read() and bits.read(8) == EXTENDED_SAR:
        bits.read(32)
    if bits.read():
        bits.read()
    if bits.read():
        bits.read(4)
        if bits.read():
            bits.read(24)
    if bits.read():
        bits.unsigned()
        bits.unsigned()
    if bits.read():
        bits.read(65)
    if _skip_rates(bits) | _skip_rates(bits):
        bits.read()
    bits.read()
    if not bits.read():
        return None
    bits.read()
    for _ in range(5):
        bits.unsigned()
    return bits.unsigned()


def _skip_rates(bits: Bits) -> bool:
    """``hrd_parameters`` (section E.1.2), and whether they are there."""
    if not bits.read():
        return False
    count = bits.unsigned() + 1
    bits.read(8)
    for _ in range(min(count, 32)):
        bits.unsigned()
        bits.unsigned()
        bits.read()
    bits.read(20)
    return True
