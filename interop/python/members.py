"""What the Python members of a group share: their arguments, and the lines that they tell.

Not a client: those are confluent_member.py, kafka_python_member.py and aiokafka_member.py. interop/README.md says what
each line means.
"""
import collections
import sys
import threading

SESSION_MS = 6000
"""How long the group waits for a member of which nothing is heard."""
HEARTBEAT_MS = 1000
"""How often a member is heard."""
INTERVAL_MS = 500
"""How often a member with automatic commits commits."""

Group = collections.namedtuple("Group", "bootstrap topic name server_side auto")
"""What the command line says of the group and of its member."""


def arguments():
    """The group that the command line names."""
    if len(sys.argv) != 6:
        sys.exit(f"usage: {sys.argv[0]} HOST:PORT TOPIC GROUP classic|consumer manual|auto")
    bootstrap, topic, name, protocol, commits = sys.argv[1:]
    return Group(bootstrap, topic, name, protocol == "consumer", commits == "auto")


def ending():
    """An event that is set when stdin ends: then a member leaves its group."""
    event = threading.Event()

    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        event.set()

    threading.Thread(target=wait, daemon=True).start()
    return event


def tell(line):
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell_partitions(word, partitions):
    """Tells the partitions that the member reads from now on (`assigned`), or no longer (`revoked`)."""
    if partitions:
        tell(f"{word} {','.join(str(p) for p in sorted(partitions))}")
