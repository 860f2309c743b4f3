"""aiokafka: asyncio on its own protocol code (Python and Cython); idempotent, and once with its defaults."""
import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cases import CODECS, PARTITIONS, SECONDS, Failed, Record, main, records, topic_name


async def produce(bootstrap, topic, settings):
    """Sends all records; returns what was acknowledged as {partition: [(offset, record)]}."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)
    await producer.start()
    futures = []
    for record in records(rare_nulls=False):
        future = await producer.send(
            topic, record.value, record.key, headers=list(record.headers), timestamp_ms=record.timestamp
        )
        futures.append((future, record))
    sent = {}
    for future, record in futures:
        answer = await asyncio.wait_for(future, SECONDS)
        sent.setdefault(answer.partition, []).append((answer.offset, record))
    await producer.stop()
    return sent


async def read(consumer, topic, count):
    """The next `count` records as [(partition, offset, record)], and no more than these."""
    out = []
    while len(out) < count:
        polled = await consumer.getmany(timeout_ms=SECONDS * 1000)
        if not polled:
            raise Failed(f"{topic}: {len(out)} of {count} records came, then nothing for {SECONDS} s")
        for tp, messages in polled.items():
            for m in messages:
                out.append((tp.partition, m.offset, Record(m.key, m.value, tuple(m.headers), m.timestamp)))
    return out


async def look_up(checks, consumer, topic, sent):
    """Offsets by position and by time, and a start in the middle of a batch."""
    partition = max(sent, key=lambda p: len(sent[p]))
    entries = sorted(sent[partition], key=lambda x: x[0])
    tp = TopicPartition(topic, partition)
    checks.equal(f"{topic} start", {tp: 0}, await consumer.beginning_offsets([tp]))
    checks.equal(f"{topic} end", {tp: len(entries)}, await consumer.end_offsets([tp]))
    offset, record = entries[len(entries) // 2]
    at = await consumer.offsets_for_times({tp: record.timestamp})
    checks.equal(f"{topic} offset for a time", offset, at[tp].offset)
    consumer.assign([tp])
    consumer.seek(tp, offset)
    checks.equal(f"{topic} from the middle", (partition, offset, record), (await read(consumer, topic, 1))[0])


async def a_round(bootstrap, admin, consumer, checks, what, settings):
    topic = topic_name("aiokafka", what)
    created = await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    checks.equal(f"{topic} creation", [(topic, 0)], [answer[:2] for answer in created.topic_errors])
    sent = await produce(bootstrap, topic, settings)
    if settings.get("enable_idempotence"):
        checks.in_order(topic, sent)
    assignment = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    consumer.assign(assignment)
    for tp in assignment:
        consumer.seek(tp, 0)
    fetched = {}
    for partition, offset, record in await read(consumer, topic, sum(map(len, sent.values()))):
        fetched.setdefault(partition, []).append((offset, record))
    checks.same_log(topic, sent, fetched)
    await look_up(checks, consumer, topic, sent)
    # Whoever still asks for the topic would have it made anew.
    consumer.unsubscribe()
    deleted = await admin.delete_topics([topic])
    checks.equal(f"{topic} deletion", [(topic, 0)], list(map(tuple, deleted.topic_error_codes)))
    deleted = await admin.delete_topics([topic])
    checks.equal(f"{topic} second deletion", [(topic, 3)], list(map(tuple, deleted.topic_error_codes)))


async def all_rounds(bootstrap, checks):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    for codec in CODECS:
        settings = {"compression_type": None if codec == "none" else codec, "enable_idempotence": True}
        await a_round(bootstrap, admin, consumer, checks, codec, settings)
    await a_round(bootstrap, admin, consumer, checks, "defaults", {})
    await consumer.stop()
    await admin.close()


main("aiokafka", lambda bootstrap, checks: asyncio.run(all_rounds(bootstrap, checks)))
