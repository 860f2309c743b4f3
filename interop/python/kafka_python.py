"""kafka-python: admin, producer, consumer by assignment, all in plain Python. 3.0, whose producer is idempotent, and 2.0,
whose is not."""
import sys

try:
    import six

    # 2.0 brings a copy of six that Python 3.12 cannot load.
    sys.modules["kafka.vendor.six.moves"] = six.moves
except ImportError:
    pass
import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import UnknownTopicOrPartitionError

from cases import CODECS, PARTITIONS, SECONDS, Failed, Record, main, records, topic_name


NAME = "kafka-python-2.0" if kafka.__version__.startswith("2.0") else "kafka-python"


def produce(bootstrap, topic, settings):
    """Sends all records; returns what was acknowledged as {partition: [(offset, record)]}."""
    producer = KafkaProducer(bootstrap_servers=bootstrap, **settings)
    futures = []
    for record in records(rare_nulls=False):
        future = producer.send(
            topic, record.value, record.key, headers=list(record.headers), timestamp_ms=record.timestamp
        )
        futures.append((future, record))
    producer.flush(timeout=SECONDS)
    sent = {}
    for future, record in futures:
        answer = future.get(timeout=SECONDS)
        sent.setdefault(answer.partition, []).append((answer.offset, record))
    producer.close(timeout=SECONDS)
    return sent


def read(consumer, topic, count):
    """The next `count` records as [(partition, offset, record)], and no more than these."""
    out = []
    while len(out) < count:
        polled = consumer.poll(timeout_ms=SECONDS * 1000)
        if not polled:
            raise Failed(f"{topic}: {len(out)} of {count} records came, then nothing for {SECONDS} s")
        for tp, messages in polled.items():
            for m in messages:
                out.append((tp.partition, m.offset, Record(m.key, m.value, tuple(m.headers or ()), m.timestamp)))
    return out


def look_up(checks, admin, consumer, topic, sent):
    """Offsets by position and by time, a start in the middle of a batch, and deletion."""
    partition = max(sent, key=lambda p: len(sent[p]))
    entries = sorted(sent[partition], key=lambda x: x[0])
    tp = TopicPartition(topic, partition)
    checks.equal(f"{topic} start", {tp: 0}, consumer.beginning_offsets([tp]))
    checks.equal(f"{topic} end", {tp: len(entries)}, consumer.end_offsets([tp]))

    offset, record = entries[len(entries) // 2]
    checks.equal(f"{topic} offset for a time", offset, consumer.offsets_for_times({tp: record.timestamp})[tp].offset)
    consumer.assign([tp])
    consumer.seek(tp, offset)
    checks.equal(f"{topic} from the middle", (partition, offset, record), read(consumer, topic, 1)[0])
    consumer.assign([])

    admin.delete_topics([topic])
    try:
        admin.delete_topics([topic])
        raise Failed(f"{topic} could be deleted twice")
    except UnknownTopicOrPartitionError:
        checks.count += 1


def run(bootstrap, checks):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    variants = [(codec, {"compression_type": None if codec == "none" else codec}) for codec in CODECS]
    variants += [("defaults", {})]
    for what, settings in variants:
        topic = topic_name(NAME, what)
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
        sent = produce(bootstrap, topic, settings)
        [described] = admin.describe_topics([topic])
        checks.equal(f"{topic} partitions", PARTITIONS, len(described["partitions"]))
        checks.in_order(topic, sent)

        assignment = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        consumer.assign(assignment)
        for tp in assignment:
            consumer.seek(tp, 0)
        fetched = {}
        for partition, offset, record in read(consumer, topic, sum(map(len, sent.values()))):
            fetched.setdefault(partition, []).append((offset, record))
        checks.same_log(topic, sent, fetched)
        look_up(checks, admin, consumer, topic, sent)
    consumer.close()
    admin.close()


main(NAME, run)
