"""A member of a group by kafka-python, its release of 2020 and that of today; classic protocol."""
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata
from kafka.errors import KafkaError

from members import HEARTBEAT_MS, INTERVAL_MS, SESSION_MS, arguments, ending, tell, tell_partitions


class Listener(ConsumerRebalanceListener):
    """Tells what changes."""

    def on_partitions_assigned(self, assigned):
        tell_partitions("assigned", [tp.partition for tp in assigned])

    def on_partitions_revoked(self, revoked):
        tell_partitions("revoked", [tp.partition for tp in revoked])


def at(offset):
    """An offset to commit; the releases differ in whether it has a leader epoch."""
    return OffsetAndMetadata(*([offset, ""] if len(OffsetAndMetadata._fields) == 2 else [offset, "", -1]))


def main():
    group, end = arguments(), ending()
    consumer = KafkaConsumer(
        bootstrap_servers=group.bootstrap,
        group_id=group.name,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        auto_offset_reset="earliest",
        enable_auto_commit=group.auto,
        auto_commit_interval_ms=INTERVAL_MS,
    )
    consumer.subscribe([group.topic], listener=Listener())
    while not end.is_set():
        try:
            polled = consumer.poll(timeout_ms=200)
            next_offsets = {}
            for tp, messages in polled.items():
                for message in messages:
                    tell(f"read {tp.partition} {message.offset}")
                    next_offsets[tp] = at(message.offset + 1)
            if next_offsets and not group.auto:
                consumer.commit(next_offsets)
                for tp, committed in next_offsets.items():
                    tell(f"committed {tp.partition} {committed.offset}")
        except KafkaError as refused:
            tell(f"refused {refused!r}")
    consumer.close()
    tell("left")


main()
