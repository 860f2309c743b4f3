"""confluent-kafka, that is librdkafka: admin, producer, consumer by assignment.

Runs with librdkafka's defaults, and once more with its idempotent producer. The consumer checks CRCs, which is off by
default and would let a broker pass that damages batches. The order of sending is promised to the idempotent producer
only: the other may overtake itself when it has to send a batch again.

Where INTEROP_METRICS says at which URL the broker tells metrics, and a subscription asks clients for theirs, those that
librdkafka pushes (KIP-714) must arrive there.
"""
import os
import time
import urllib.request

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from cases import CODECS, PARTITIONS, SECONDS, Failed, Record, eventually, main, records, topic_name


def create(admin, topic):
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)], request_timeout=SECONDS).values():
        future.result(SECONDS)


def listed(admin, topic):
    """The partitions that metadata tells of, none while the topic is not known yet."""
    return sorted(admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions)


def produce(bootstrap, topic, settings):
    """Sends all records; returns what was acknowledged as {partition: [(offset, record)]}."""
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": SECONDS * 1000, **settings})
    sent, errors = {}, []

    def acknowledged(record):
        def callback(error, message):
            if error:
                errors.append(error)
            else:
                sent.setdefault(message.partition(), []).append((message.offset(), record))

        return callback

    for record in records():
        producer.produce(
            topic,
            record.value,
            record.key,
            headers=list(record.headers),
            timestamp=record.timestamp,
            on_delivery=acknowledged(record),
        )
    left = producer.flush(SECONDS)
    if errors or left:
        raise Failed(f"{topic}: {len(errors)} records refused, {left} unanswered; first: {errors[:1]}")
    return sent


def consumer_of(bootstrap):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused: only assignment, no commit",
            "enable.auto.commit": False,
            "check.crcs": True,
            "auto.offset.reset": "error",
        }
    )


NO_GROUPS = {KafkaError._UNSUPPORTED_FEATURE, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR}
"""librdkafka looks for its group's coordinator even when partitions are assigned; a broker need not have one here."""


def poll(consumer, topic):
    end = time.monotonic() + SECONDS
    while True:
        message = consumer.poll(max(0, end - time.monotonic()))
        if message is None:
            raise Failed(f"{topic}: nothing came within {SECONDS} s")
        if not message.error():
            break
        if message.error().code() not in NO_GROUPS:
            raise Failed(f"{topic}: {message.error()}")
    _, timestamp = message.timestamp()
    record = Record(message.key(), message.value(), tuple(message.headers() or ()), timestamp)
    return message.partition(), message.offset(), record


def fetch(consumer, topic, count):
    """Reads `count` records from the start of all partitions."""
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    fetched = {}
    for _ in range(count):
        partition, offset, record = poll(consumer, topic)
        fetched.setdefault(partition, []).append((offset, record))
    extra = consumer.poll(0.5)
    if extra is not None and not extra.error():
        raise Failed(f"{topic}: a record more than was sent: {extra.partition()}/{extra.offset()}")
    return fetched


def look_up(checks, bootstrap, admin, consumer, topic, sent):
    """Offsets by position and by time, a start in the middle of a batch, and deletion."""
    partition = max(sent, key=lambda p: len(sent[p]))
    entries = sorted(sent[partition], key=lambda x: x[0])
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=SECONDS)
    checks.equal(f"{topic} watermarks", (0, len(entries)), (low, high))

    offset, record = entries[len(entries) // 2]
    [found] = consumer.offsets_for_times([TopicPartition(topic, partition, record.timestamp)], timeout=SECONDS)
    checks.equal(f"{topic} offset for a time", offset, found.offset)
    newest = admin.list_offsets({TopicPartition(topic, partition): OffsetSpec.max_timestamp()})
    checks.equal(f"{topic} offset of the newest time", entries[-1][0], next(iter(newest.values())).result(SECONDS).offset)

    consumer.assign([TopicPartition(topic, partition, offset)])
    checks.equal(f"{topic} from the middle", (partition, offset, record), poll(consumer, topic))
    consumer.unassign()

    for future in admin.delete_topics([topic], request_timeout=SECONDS).values():
        future.result(SECONDS)
    try:
        for future in admin.delete_topics([topic], request_timeout=SECONDS).values():
            future.result(SECONDS)
        raise Failed(f"{topic} could be deleted twice")
    except KafkaException as refused:
        checks.equal(f"{topic} deleted twice", "UNKNOWN_TOPIC_OR_PART", refused.args[0].name())


def push_metrics(checks, bootstrap, admin, url):
    """Writes until the broker tells what this producer pushed about itself."""
    topic = topic_name("librdkafka", "pushed")
    create(admin, topic)
    producer = Producer({"bootstrap.servers": bootstrap, "client.id": topic})

    def told():
        producer.produce(topic, b"x")
        producer.poll(0.05)
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return {line.split("{")[0]: float(line.split()[-1]) for line in lines if f'client_id="{topic}"' in line}

    eventually(f"{topic}: metrics are pushed", told)
    pushed = told()
    producer.flush(SECONDS)
    opened = pushed.get("org_apache_kafka_producer_connection_creation_total", 0)
    checks.equal(f"{topic}: a connection was made", True, opened >= 1)
    checks.equal(f"{topic}: requests took time", True, "org_apache_kafka_producer_request_latency_max" in pushed)


def run(bootstrap, checks):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    consumer = consumer_of(bootstrap)
    variants = [(codec, {"compression.type": codec}) for codec in CODECS]
    variants += [("defaults", {}), ("idempotent", {"enable.idempotence": True})]
    for what, settings in variants:
        topic = topic_name("librdkafka", what)
        create(admin, topic)
        eventually(f"{topic} is listed", lambda: listed(admin, topic))
        checks.equal(f"{topic} partitions", list(range(PARTITIONS)), listed(admin, topic))
        sent = produce(bootstrap, topic, settings)
        if "enable.idempotence" in settings:
            checks.in_order(topic, sent)
        checks.same_log(topic, sent, fetch(consumer, topic, sum(map(len, sent.values()))))
        look_up(checks, bootstrap, admin, consumer, topic, sent)
    consumer.close()
    if url := os.environ.get("INTEROP_METRICS"):
        push_metrics(checks, bootstrap, admin, url)


main("confluent-kafka", run)
