"""What every test starts from."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background of a shell: what the tests start would inherit it, and never be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)
