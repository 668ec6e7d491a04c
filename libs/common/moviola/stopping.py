"""How a service hears that it is to stop: the first signal asks for it, the second one takes no answer."""

import asyncio
import os
import signal


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set *stopping* at the first SIGTERM or SIGINT; exit at once, with 143 or 130, at the second.

    Whatever is cut off then is safe: what was not committed is not acknowledged either, and children die with us.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, stopping, number)


def _stop(stopping: asyncio.Event, number: signal.Signals) -> None:
    if stopping.is_set():
        os._exit(128 + number)
    stopping.set()
