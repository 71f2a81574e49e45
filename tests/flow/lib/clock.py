"""A wall clock that jumps under a running gateway, and only under it: see wall_clock.c."""
import datetime
import email.utils
import struct

from lib.wait import BINARY, asan_options

LIBRARY = BINARY.parent / "tests/libwall_clock.so"
MINUTE, HOUR, DAY = 60, 3600, 86400


class Clock:
    """`environment` is for the gateway; from jump() on its clock is so many seconds ahead of the real one."""

    def __init__(self, folder):
        self.file = folder / "wall-clock"
        self.jump(0)
        self.file.chmod(0o644)
        self.environment = {"LD_PRELOAD": str(LIBRARY), "WALL_CLOCK": str(self.file), **asan_options("verify_asan_link_order=0")}

    def jump(self, seconds):
        self.ahead = seconds
        if self.file.exists():
            with open(self.file, "r+b") as file:  # the page that the gateway has mapped
                file.write(struct.pack("=q", seconds))
        else:
            self.file.write_bytes(struct.pack("=q", seconds))

    def is_shown_by(self, moment):
        """Whether the moment is now on this clock, as far as one can be in a test."""
        off = moment - datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=self.ahead)
        return abs(off) < datetime.timedelta(seconds=30)


def date_of(response):
    return email.utils.parsedate_to_datetime(response.get("Date"))
