"""A member of a group by aiokafka; classic protocol."""
import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError

from members import HEARTBEAT_MS, INTERVAL_MS, SESSION_MS, arguments, ending, tell, tell_partitions


class Listener(ConsumerRebalanceListener):
    """Tells what changes."""

    async def on_partitions_assigned(self, assigned):
        tell_partitions("assigned", [tp.partition for tp in assigned])

    async def on_partitions_revoked(self, revoked):
        tell_partitions("revoked", [tp.partition for tp in revoked])


async def main():
    group, end = arguments(), ending()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=group.bootstrap,
        group_id=group.name,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        auto_offset_reset="earliest",
        enable_auto_commit=group.auto,
        auto_commit_interval_ms=INTERVAL_MS,
    )
    consumer.subscribe([group.topic], listener=Listener())
    await consumer.start()
    while not end.is_set():
        try:
            polled = await consumer.getmany(timeout_ms=200)
            next_offsets = {}
            for tp, messages in polled.items():
                for message in messages:
                    tell(f"read {tp.partition} {message.offset}")
                    next_offsets[tp] = message.offset + 1
            if next_offsets and not group.auto:
                await consumer.commit(next_offsets)
                for tp, offset in next_offsets.items():
                    tell(f"committed {tp.partition} {offset}")
        except (KafkaError, IllegalStateError) as refused:
            tell(f"refused {refused!r}")
    await consumer.stop()
    tell("left")


asyncio.run(main())
