// A member of a group by Kafka's own Java consumer, from its first release (0.9) to those of today, in both protocols.
//
// It tells what interop/README.md lists. Java of 0.9 has no Duration in poll() and Java of 4.0 has nothing else: whichever
// there is is looked up once.

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

public class Member {
    static final int SESSION_MS = 6_000;
    static final int HEARTBEAT_MS = 1_000;
    static final int INTERVAL_MS = 500;
    static final int POLL_MS = 500;

    static volatile boolean ended;

    static synchronized void tell(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** Tells partitions that the member reads from now on, or no longer. */
    static void tell(String word, Collection<TopicPartition> partitions) {
        if (!partitions.isEmpty()) {
            tell(word + " " + partitions.stream().map(p -> Integer.toString(p.partition())).sorted()
                    .collect(Collectors.joining(",")));
        }
    }

    static class Listener implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked", partitions);
        }
    }

    static Method poll() throws NoSuchMethodException {
        try {
            return KafkaConsumer.class.getMethod("poll", Duration.class);
        } catch (NoSuchMethodException old) {
            return KafkaConsumer.class.getMethod("poll", long.class);
        }
    }

    @SuppressWarnings("unchecked")
    static ConsumerRecords<byte[], byte[]> poll(Method poll, KafkaConsumer<byte[], byte[]> consumer) throws Throwable {
        Object wait = poll.getParameterTypes()[0] == long.class ? (Object) (long) POLL_MS : Duration.ofMillis(POLL_MS);
        try {
            return (ConsumerRecords<byte[], byte[]>) poll.invoke(consumer, wait);
        } catch (java.lang.reflect.InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("group.id", arguments[2]);
        if (arguments[3].equals("consumer")) {
            settings.put("group.protocol", "consumer");
        } else {
            // In the other protocol the broker says both.
            settings.put("session.timeout.ms", "" + SESSION_MS);
            settings.put("heartbeat.interval.ms", "" + HEARTBEAT_MS);
        }
        settings.put("enable.auto.commit", "" + arguments[4].equals("auto"));
        settings.put("auto.commit.interval.ms", "" + INTERVAL_MS);
        settings.put("auto.offset.reset", "earliest");
        String bytes = "org.apache.kafka.common.serialization.ByteArrayDeserializer";
        settings.put("key.deserializer", bytes);
        settings.put("value.deserializer", bytes);
        return settings;
    }

    static void commit(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, OffsetAndMetadata> next) {
        try {
            consumer.commitSync(next);
            next.forEach((p, at) -> tell("committed " + p.partition() + " " + at.offset()));
        } catch (WakeupException ending) {
            throw ending;
        } catch (KafkaException refused) {
            tell("refused " + refused);
        }
    }

    public static void main(String[] arguments) throws Throwable {
        if (arguments.length != 5) {
            System.err.println("usage: Member HOST:PORT TOPIC GROUP classic|consumer manual|auto");
            System.exit(2);
        }
        boolean auto = arguments[4].equals("auto");
        Method poll = poll();
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings(arguments));
        Thread input = new Thread(() -> {
            try {
                System.in.transferTo(java.io.OutputStream.nullOutputStream());
            } catch (java.io.IOException gone) {
                // Whoever started the member is gone, which ends it as well.
            }
            ended = true;
            consumer.wakeup();
        });
        input.setDaemon(true);
        input.start();
        consumer.subscribe(Collections.singletonList(arguments[1]), new Listener());
        while (!ended) {
            try {
                Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
                for (ConsumerRecord<byte[], byte[]> r : poll(poll, consumer)) {
                    tell("read " + r.partition() + " " + r.offset());
                    next.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                if (!auto && !next.isEmpty()) {
                    commit(consumer, next);
                }
            } catch (WakeupException ending) {
                // The loop sees why.
            } catch (KafkaException refused) {
                tell("refused " + refused);
            }
        }
        consumer.close();
        tell("left");
    }
}
