"""Clips for the tests: small ones made on the spot, and one real one."""

from pathlib import Path

BIG_BUCK_BUNNY = Path(__file__).parent / "bigbuckbunny.mp4"
