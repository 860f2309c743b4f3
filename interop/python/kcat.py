"""kcat, a command of its own over librdkafka: the topic appears by auto-creation when the first record arrives.

kcat takes one set of headers for a whole run and no timestamps, so records go in groups and their time is only
checked to lie within the test.
"""
import json
import random
import subprocess
import time

from cases import CODECS, SECONDS, Failed, main, short, topic_name

ORDERED = ("-X", "max.in.flight.requests.per.connection=1")
"""Without acknowledged offsets only the order tells which record is which, and a batch sent again must not lose it."""


def kcat(bootstrap, *arguments, stdin=b""):
    """Runs kcat to its end and returns what it wrote."""
    run = subprocess.run(["kcat", "-b", bootstrap, *arguments], input=stdin, capture_output=True, timeout=SECONDS)
    if run.returncode:
        raise Failed(f"kcat {' '.join(arguments)} ended with {run.returncode}: {run.stderr.decode(errors='replace')}")
    return run.stdout


def parse(out):
    """Reads `-f` output back: sizes first, so that any byte may stand in a key or a value; -1 is null."""
    records = []
    while out:
        head, out = out.split(b"\n", 1)
        offset, timestamp, key_size, value_size, headers = head.split(b" ", 4)
        fields = []
        for size in (int(key_size), int(value_size)):
            fields.append(None if size < 0 else out[:size])
            out = out[max(size, 0):]
        if out[:1] != b"\n":
            raise Failed(f"kcat's output does not follow its own format near offset {offset.decode()}")
        out = out[1:]
        records.append((int(offset), int(timestamp), *fields, headers.decode()))
    return records


def run(bootstrap, checks):
    for codec in CODECS:
        topic = topic_name("kcat", codec)
        began = int(time.time() * 1000)
        many = [(b"key-%d" % i, b"value-%d " % i * (i % 50 + 1)) for i in range(1000)]
        large = random.Random(began).randbytes(450_000).hex().encode()
        groups = [
            ((), many, ""),
            (("-H", "a=1", "-H", "b=two"), [(b"headers", b"value")], "a=1,b=two"),
            (("-Z",), [(None, b"without key"), (b"without value", None)], ""),
            ((), [(b"large", large)], ""),
        ]
        expected = []
        for flags, records, headers in groups:
            lines = b"".join((k or b"") + b"\t" + (v or b"") + b"\n" for k, v in records)
            kcat(bootstrap, "-P", "-t", topic, "-p", "0", "-z", codec, "-K", "\t", *ORDERED, *flags, stdin=lines)
            expected += [(k, v, headers) for k, v in records]
        ended = int(time.time() * 1000)

        listed = json.loads(kcat(bootstrap, "-L", "-J", "-t", topic))
        [described] = listed["topics"]
        checks.equal(f"{topic} has a leader", True, described["partitions"][0]["leader"] >= 0)

        read = ("-C", "-t", topic, "-p", "0", "-e", "-q", "-X", "check.crcs=true", "-f", "%o %T %K %S %h\n%k%s\n")
        fetched = parse(kcat(bootstrap, *read, "-o", "beginning"))
        for i, (want, got) in enumerate(zip(expected, fetched)):
            offset, timestamp, key, value, headers = got
            where = f"{topic} offset {i}"
            checks.equal(f"{where} (value {short(want[1])} / {short(value)})", True, want[1] == value)
            checks.equal(where, (i, want[0], want[2]), (offset, key, headers))
            checks.equal(f"{where} time {timestamp} within the test", True, began <= timestamp <= ended)
        checks.equal(f"{topic} number of records", len(expected), len(fetched))

        checks.equal(f"{topic} from the middle", fetched[500:503], parse(kcat(bootstrap, *read, "-o", "500", "-c", "3")))
        checks.equal(f"{topic} from the end", fetched[-2:], parse(kcat(bootstrap, *read, "-o", "-2")))
        [answer] = kcat(bootstrap, "-Q", "-t", f"{topic}:0:{fetched[700][1]}").decode().splitlines()
        first = next(offset for offset, timestamp, *_ in fetched if timestamp >= fetched[700][1])
        checks.equal(f"{topic} offset for a time", f"{topic} [0] offset {first}", answer)


main("kcat", run)
