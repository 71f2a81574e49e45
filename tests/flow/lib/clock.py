"""Clocks that jump under a running gateway, and only under it: see clocks.c."""
import datetime
import email.utils
import struct

from lib.wait import BINARY, asan_options

LIBRARY = BINARY.parent / "tests/libclocks.so"
MINUTE, HOUR, DAY = 60, 3600, 86400


class Clock:
    """`environment` is for the gateway."""

    def __init__(self, folder):
        self.file = folder / "clocks"
        self.file.write_bytes(bytes(16))
        self.file.chmod(0o644)
        self.ahead = self.passed = 0
        self.environment = {"LD_PRELOAD": str(LIBRARY), "CLOCKS": str(self.file), **asan_options("verify_asan_link_order=0")}

    def _write(self):
        with open(self.file, "r+b") as file:  # the page that the gateway has mapped
            file.write(struct.pack("=qq", self.ahead, self.passed))

    def jump(self, seconds):
        """From now on the wall clock is so many seconds ahead of the real one."""
        self.ahead = seconds
        self._write()

    def let_pass(self, seconds):
        """Time goes by on the clock of timeouts. Who sleeps in the kernel is not woken: ask something, and the gateway looks."""
        self.passed += seconds
        self._write()

    def is_shown_by(self, moment):
        """Whether the moment is now on this wall clock, as far as one can be in a test."""
        off = moment - datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=self.ahead)
        return abs(off) < datetime.timedelta(seconds=30)


def date_of(response):
    return email.utils.parsedate_to_datetime(response.get("Date"))
