"""What `knock watch` and the process of a check say to each other."""

import msgspec


class Request(msgspec.Struct, frozen=True):
    """A file to check, and what its last check saw: see `knock.check.parts.Earlier`."""

    file: str
    text: str | None = None
    failed: list[str] = []
