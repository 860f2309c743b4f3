"""A member of a group by confluent-kafka, that is librdkafka, in both protocols."""
from confluent_kafka import Consumer, KafkaException

from members import HEARTBEAT_MS, INTERVAL_MS, SESSION_MS, arguments, ending, tell, tell_partitions


def settings(group):
    out = {
        "bootstrap.servers": group.bootstrap,
        "group.id": group.name,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": group.auto,
        "auto.commit.interval.ms": INTERVAL_MS,
        # Stored when it is told, not when it is taken: else a kill between the two would lose it.
        "enable.auto.offset.store": False,
    }
    if group.server_side:
        return {**out, "group.protocol": "consumer"}
    # In the other protocol the broker says both.
    return {**out, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": HEARTBEAT_MS}


def told(word):
    return lambda _, partitions: tell_partitions(word, [p.partition for p in partitions])


def commit(consumer, message):
    try:
        for at in consumer.commit(message=message, asynchronous=False):
            tell(f"refused {at.error}" if at.error else f"committed {at.partition} {at.offset}")
    except KafkaException as refused:
        tell(f"refused {refused}")


def main():
    group, end = arguments(), ending()
    consumer = Consumer(settings(group))
    consumer.subscribe(
        [group.topic], on_assign=told("assigned"), on_revoke=told("revoked"), on_lost=told("revoked")
    )
    while not end.is_set():
        messages = consumer.consume(100, 0.1)
        last = {}
        for message in messages:
            if message.error():
                tell(f"refused {message.error()}")
                continue
            tell(f"read {message.partition()} {message.offset()}")
            last[message.partition()] = message
        for message in last.values():
            if group.auto:
                consumer.store_offsets(message)
            else:
                commit(consumer, message)
    consumer.close()
    tell("left")


main()
