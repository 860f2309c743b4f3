"""What every Python client sends and expects back: the records, the comparison, the verdict.

Not a client: those are kcat.py, librdkafka.py and kafka_python.py beside this file. The Go and Java clients have the
same cases in their own language.
"""
import random
import sys
import time
from typing import NamedTuple

PARTITIONS = 3
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
SECONDS = 60
"""How long any single wait may take before it counts as a failure."""


class Record(NamedTuple):
    """One record as all clients can express it; what is absent is None, not empty."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int

    def __repr__(self):
        return f"key {short(self.key)} value {short(self.value)} headers {self.headers} timestamp {self.timestamp}"


def short(field):
    """A field for a message: whole if it is small, its size and beginning otherwise."""
    if field is None or len(field) <= 40:
        return repr(field)
    return f"{len(field)} bytes {field[:20]!r}..."


def records(rare_nulls=True):
    """One record of every kind, then enough small ones to fill several batches.

    rare_nulls: with a header without a value and a record with neither key nor value, which some clients cannot send.
    """
    base = int(time.time() * 1000) - 3_600_000
    noise = random.Random(base).randbytes(900_000)
    headers = (("twice", b"1"), ("twice", b"2"), ("empty", b""), ("\u00fcnicode", "\u4e16".encode()))
    if rare_nulls:
        headers += (("null", None),)
    out = [
        (b"key", b"value", ()),
        (None, b"no key", ()),
        (b"no value", None, ()),
        (None, None if rare_nulls else b"", ()),
        (b"", b"", ()),
        (b"headers", b"value", headers),
        (b"large", noise, (("size", b"900000"),)),
    ]
    out += [(b"key-%d" % (i % 17), b"value-%d " % i * (i % 50), (("i", b"%d" % i),)) for i in range(1000)]
    return [Record(key, value, headers, base + i) for i, (key, value, headers) in enumerate(out)]


class Failed(Exception):
    """A difference between what was sent and what came back."""


class Checks:
    """Counts what was compared and stops at the first difference."""

    def __init__(self):
        self.count = 0

    def equal(self, what, expected, got):
        """One comparison of two values."""
        self.count += 1
        if expected != got:
            raise Failed(f"{what}: expected {expected!r}, got {got!r}")

    def same_log(self, what, sent, fetched):
        """Compares `{partition: [(offset, record)]}` as acknowledged with the same as fetched."""
        for partition in range(PARTITIONS):
            expected, got = sorted(sent.get(partition, []), key=lambda x: x[0]), fetched.get(partition, [])
            where = f"{what} partition {partition}"
            for a, b in zip(expected, got):
                self.equal(f"{where} offset {a[0]}", a, b)
            self.equal(f"{where} number of records", len(expected), len(got))
            self.equal(f"{where} offsets", list(range(len(expected))), [offset for offset, _ in got])

    def in_order(self, what, sent):
        """Offsets must rise in the order of sending, which the timestamps carry."""
        for partition, entries in sent.items():
            stamps = [record.timestamp for _, record in sorted(entries, key=lambda x: x[0])]
            self.equal(f"{what} partition {partition} in the order of sending", sorted(stamps), stamps)


def eventually(what, condition):
    """Waits until `condition()` holds: metadata may reach a broker a moment after the answer to a creation."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not so within {SECONDS} s")
        time.sleep(0.05)


def main(name, run):
    """Runs `run(bootstrap, checks)` and says how it ended, in words and in the exit code."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} HOST:PORT")
    checks = Checks()
    try:
        run(sys.argv[1], checks)
    except Failed as difference:
        print(f"FAILED {name}: {difference}")
        sys.exit(1)
    print(f"ok {name} {checks.count} checks")


def topic_name(client, what):
    """A name that no earlier run used, so that a broker with a past can be tested too."""
    return f"interop-{client}-{what}-{random.SystemRandom().randrange(16**8):08x}"
