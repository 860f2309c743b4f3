// Kafka's own Java clients: admin, producer (idempotent by default), consumer by assignment.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Interop {
    static final int PARTITIONS = 3;
    /** How long any single wait may take before it counts as a failure. */
    static final Duration LIMIT = Duration.ofSeconds(60);
    static int checks;

    /** A difference between what was sent and what came back. */
    static class Failed extends RuntimeException {
        Failed(String message) {
            super(message);
        }
    }

    /** One record; null and empty are different. */
    record Entry(byte[] key, byte[] value, List<Header> headers, long timestamp) {
        boolean same(Entry other) {
            return Arrays.equals(key, other.key) && Arrays.equals(value, other.value)
                    && headers.equals(other.headers) && timestamp == other.timestamp;
        }

        @Override
        public String toString() {
            return "key " + brief(key) + " value " + brief(value) + " headers " + headers + " timestamp " + timestamp;
        }
    }

    static String brief(byte[] field) {
        if (field == null) {
            return "null";
        }
        return field.length > 40 ? field.length + " bytes" : "'" + new String(field, StandardCharsets.UTF_8) + "'";
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One record of every kind, then enough small ones to fill several batches. */
    static List<Entry> records() {
        long base = System.currentTimeMillis() - 3_600_000;
        byte[] noise = new byte[900_000];
        new Random(base).nextBytes(noise);
        List<Header> headers = List.of(new RecordHeader("twice", bytes("1")), new RecordHeader("twice", bytes("2")),
                new RecordHeader("empty", new byte[0]), new RecordHeader("ünicode", bytes("世")),
                new RecordHeader("null", (byte[]) null));
        List<Entry> out = new ArrayList<>();
        out.add(new Entry(bytes("key"), bytes("value"), List.of(), base));
        out.add(new Entry(null, bytes("no key"), List.of(), base + 1));
        out.add(new Entry(bytes("no value"), null, List.of(), base + 2));
        out.add(new Entry(null, null, List.of(), base + 3));
        out.add(new Entry(new byte[0], new byte[0], List.of(), base + 4));
        out.add(new Entry(bytes("headers"), bytes("value"), headers, base + 5));
        out.add(new Entry(bytes("large"), noise, List.of(new RecordHeader("size", bytes("900000"))), base + 6));
        for (int i = 0; i < 1000; i++) {
            List<Header> header = List.of(new RecordHeader("i", bytes("" + i)));
            byte[] value = bytes(("value-" + i + " ").repeat(i % 50));
            out.add(new Entry(bytes("key-" + i % 17), value, header, base + 7 + i));
        }
        return out;
    }

    static void equal(String what, Object expected, Object got) {
        checks++;
        if (!Objects.equals(expected, got)) {
            throw new Failed(what + ": expected " + expected + ", got " + got);
        }
    }

    static void same(String what, Entry expected, Entry got) {
        checks++;
        if (!expected.same(got)) {
            throw new Failed(what + ": expected " + expected + ", got " + got);
        }
    }

    interface Step {
        void run() throws Exception;
    }

    /** Runs what the broker must refuse with this exception. */
    static void refused(String what, Class<?> with, Step step) throws Exception {
        try {
            step.run();
        } catch (ExecutionException e) {
            equal(what, with, e.getCause().getClass());
            return;
        }
        throw new Failed(what + ": was not refused");
    }

    /** Sends all records; gives back what was acknowledged: per partition, by offset. */
    static Map<Integer, TreeMap<Long, Entry>> produce(String topic, Map<String, Object> settings) throws Exception {
        Map<Integer, TreeMap<Long, Entry>> sent = new TreeMap<>();
        List<Entry> records = records();
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (Entry r : records) {
                futures.add(producer.send(
                        new ProducerRecord<>(topic, null, r.timestamp, r.key, r.value, r.headers)));
            }
            for (int i = 0; i < futures.size(); i++) {
                RecordMetadata at = futures.get(i).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
                sent.computeIfAbsent(at.partition(), p -> new TreeMap<>()).put(at.offset(), records.get(i));
            }
        }
        return sent;
    }

    /** The next `count` records. */
    static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, String topic, int count) {
        List<ConsumerRecord<byte[], byte[]>> out = new ArrayList<>();
        while (out.size() < count) {
            var polled = consumer.poll(LIMIT);
            if (polled.isEmpty()) {
                throw new Failed(topic + ": " + out.size() + " of " + count + " records came, then nothing");
            }
            polled.forEach(out::add);
        }
        return out;
    }

    static Entry entry(ConsumerRecord<byte[], byte[]> r) {
        return new Entry(r.key(), r.value(), Arrays.asList(r.headers().toArray()), r.timestamp());
    }

    /** Reads everything from the start and compares with what was acknowledged and with the order of sending. */
    static void compare(KafkaConsumer<byte[], byte[]> consumer, String topic,
            Map<Integer, TreeMap<Long, Entry>> sent) {
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < PARTITIONS; p++) {
            all.add(new TopicPartition(topic, p));
        }
        consumer.assign(all);
        consumer.seekToBeginning(all);
        long[] next = new long[PARTITIONS];
        long[] time = new long[PARTITIONS];
        int count = sent.values().stream().mapToInt(Map::size).sum();
        for (var r : read(consumer, topic, count)) {
            int p = r.partition();
            String where = topic + " partition " + p + " offset " + next[p];
            equal(where, next[p]++, r.offset());
            same(where, sent.get(p).get(r.offset()), entry(r));
            equal(where + " in the order of sending", true, time[p] < r.timestamp());
            time[p] = r.timestamp();
        }
        for (int p = 0; p < PARTITIONS; p++) {
            equal(topic + " partition " + p + " number of records", (long) sent.getOrDefault(p, new TreeMap<>()).size(),
                    next[p]);
        }
    }

    /** Offsets by position and by time, and a start in the middle of a batch. */
    static void lookUp(Admin admin, KafkaConsumer<byte[], byte[]> consumer, String topic,
            Map<Integer, TreeMap<Long, Entry>> sent) throws Exception {
        for (var partition : sent.entrySet()) {
            TopicPartition tp = new TopicPartition(topic, partition.getKey());
            TreeMap<Long, Entry> entries = partition.getValue();
            long middle = entries.size() / 2;
            long time = entries.get(middle).timestamp();
            equal(tp + " start", Map.of(tp, 0L), consumer.beginningOffsets(List.of(tp), LIMIT));
            equal(tp + " end", Map.of(tp, (long) entries.size()), consumer.endOffsets(List.of(tp), LIMIT));
            equal(tp + " offset for a time", middle, consumer.offsetsForTimes(Map.of(tp, time), LIMIT).get(tp).offset());
            var newest = admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).partitionResult(tp).get();
            equal(tp + " offset of the newest time", entries.lastKey(), newest.offset());
            consumer.assign(List.of(tp));
            consumer.seek(tp, middle);
            var first = read(consumer, topic, 1).get(0);
            equal(tp + " from the middle", middle, first.offset());
            same(tp + " from the middle", entries.get(middle), entry(first));
        }
    }

    static void round(String bootstrap, Admin admin, KafkaConsumer<byte[], byte[]> consumer, String what,
            Map<String, Object> settings) throws Exception {
        String topic = String.format("interop-java-%s-%08x", what, new Random().nextInt());
        NewTopic wanted = new NewTopic(topic, PARTITIONS, (short) 1);
        admin.createTopics(List.of(wanted)).all().get();
        refused(topic + " created twice", TopicExistsException.class,
                () -> admin.createTopics(List.of(wanted)).all().get());

        Map<String, Object> producer = new TreeMap<>(settings);
        producer.put("bootstrap.servers", bootstrap);
        var sent = produce(topic, producer);
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        equal(topic + " partitions", PARTITIONS, described.partitions().size());
        compare(consumer, topic, sent);
        lookUp(admin, consumer, topic, sent);
        admin.deleteTopics(List.of(topic)).all().get();
        refused(topic + " deleted twice", UnknownTopicOrPartitionException.class,
                () -> admin.deleteTopics(List.of(topic)).all().get());
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: Interop HOST:PORT");
            System.exit(2);
        }
        Map<String, Object> connect = Map.of("bootstrap.servers", arguments[0], "auto.offset.reset", "none");
        try (Admin admin = Admin.create(connect);
                var consumer = new KafkaConsumer<>(connect, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                round(arguments[0], admin, consumer, codec, Map.of("compression.type", codec));
            }
            round(arguments[0], admin, consumer, "defaults", Map.of());
            // One request in flight: without idempotence a batch that is sent again may be overtaken by the next.
            round(arguments[0], admin, consumer, "acks1", Map.of("acks", "1", "enable.idempotence", "false",
                    "max.in.flight.requests.per.connection", 1));
        } catch (Failed difference) {
            System.out.println("FAILED java: " + difference.getMessage());
            System.exit(1);
        }
        System.out.println("ok java " + checks + " checks");
    }
}
