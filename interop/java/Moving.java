// What a broker holds, told line by line, so that two brokers can be compared; and what fills it and adds to it.
//
// A command of its own, not a client under test: `cargo xtask moving` runs it before and after a move between Kafka and
// Ottla. Lines of `tell` depend on nothing but what must survive a move.

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Moving {
    static final Duration LIMIT = Duration.ofMillis(Cases.LIMIT_MS);
    /** Records that `add` sends to each partition. */
    static final int ADDED = 20;
    /** How many keys are written how often to the topic that a Kafka compacts. */
    static final int KEYS = 20, ROUNDS = 10;
    static final long HOUR_MS = 3_600_000;
    static final Set<ConfigEntry.ConfigSource> CHANGED = Set.of(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
            ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG,
            ConfigEntry.ConfigSource.DYNAMIC_CLIENT_METRICS_CONFIG);

    final String bootstrap;
    final Admin admin;

    Moving(String bootstrap, Admin admin) {
        this.bootstrap = bootstrap;
        this.admin = admin;
    }

    KafkaProducer<byte[], byte[]> producer(String codec) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "compression.type", codec,
                "max.request.size", 2_000_000, "linger.ms", 5);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    void create(String topic, int partitions, Map<String, String> settings) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(settings))).all().get();
        await(topic, partitions);
    }

    /**
     * Waits until the broker leads all partitions. To one that is not there yet a producer's first batch may come too
     * early and its second in time; Kafka refuses the first for ever then.
     */
    void await(String topic, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int p = 0; p < partitions; p++) {
            ends.put(new TopicPartition(topic, p), OffsetSpec.latest());
        }
        until(topic + " is led", () -> admin.listOffsets(ends).all().get());
    }

    /** Asks again as long as the broker does not know yet what its controller has decided. */
    static void until(String what, Cases.Step step) throws Exception {
        long end = System.currentTimeMillis() + Cases.LIMIT_MS;
        while (true) {
            try {
                step.run();
                return;
            } catch (ExecutionException | Cases.Failed notYet) {
                if (System.currentTimeMillis() > end) {
                    throw new Cases.Failed(what + ": not within " + LIMIT + ": " + notYet.getMessage());
                }
                Thread.sleep(50);
            }
        }
    }

    void set(ConfigResource.Type type, String name, String key, String value) throws Exception {
        var change = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(change))).all().get();
    }

    /** Sends one record of every kind and a thousand small ones. */
    void send(String topic, String codec, boolean keyed) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = producer(codec)) {
            for (Cases.Entry r : Cases.records(true)) {
                if (keyed && r.key() == null) {
                    continue;
                }
                List<Header> headers = new ArrayList<>();
                r.headers().forEach(tag -> headers.add(new RecordHeader(tag.key(), tag.value())));
                sent.add(producer.send(new ProducerRecord<>(topic, null, r.timestamp(), r.key(), r.value(), headers)));
            }
            for (var future : sent) {
                future.get();
            }
        }
    }

    /** Topics, settings and records of every kind. */
    void fill() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            create("codec-" + codec, Cases.PARTITIONS, Map.of());
            send("codec-" + codec, codec, false);
        }
        create("keyed", 1, Map.of("cleanup.policy", "compact", "retention.ms", "777777777"));
        send("keyed", "none", true);
        create("stamped", 2, Map.of("message.timestamp.type", "LogAppendTime", "compression.type", "zstd"));
        send("stamped", "gzip", false);

        // Several segments; the first records are deleted, and the log begins within one.
        create("segments", 2, Map.of("segment.bytes", "1048576", "max.message.bytes", "1500000"));
        byte[] noise = new byte[300_000];
        new Random(1).nextBytes(noise);
        try (var producer = producer("none")) {
            for (int i = 0; i < 12; i++) {
                producer.send(new ProducerRecord<>("segments", 0, Cases.bytes("large-" + i), noise)).get();
            }
        }
        var deleted = Map.of(new TopicPartition("segments", 0), RecordsToDelete.beforeOffset(5));
        admin.deleteRecords(deleted).all().get();

        create("grown", 1, Map.of());
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(4))).all().get();
        await("grown", 4);
        create("empty.of_records", 3, Map.of());
        create("gone", 2, Map.of("retention.ms", "70000000"));
        send("gone", "none", false);
        admin.deleteTopics(List.of("gone")).all().get();

        set(ConfigResource.Type.TOPIC, "grown", "retention.bytes", "123456789");
        set(ConfigResource.Type.BROKER, "", "log.retention.ms", "900000000");
        set(ConfigResource.Type.BROKER, "", "message.max.bytes", "1800000");
        set(ConfigResource.Type.BROKER, "1", "log.segment.delete.delay.ms", "45000");
        set(ConfigResource.Type.CLIENT_METRICS, "all", "interval.ms", "30000");
        // The last of all changes; the broker that tells of it knows the others.
        var last = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "all");
        until("the last setting", () -> {
            ConfigEntry entry = admin.describeConfigs(List.of(last)).all().get().get(last).get("interval.ms");
            if (entry == null || !"30000".equals(entry.value())) {
                throw new Cases.Failed("interval.ms is " + entry);
            }
        });
    }

    /** What only a Kafka makes: transactions, and what its compaction leaves. */
    void fillKafka() throws Exception {
        create("transactions", 2, Map.of("segment.ms", "" + HOUR_MS, "index.interval.bytes", "200"));
        create("undecided", 1, Map.of());
        transactions();
        compacted();
    }

    KafkaProducer<byte[], byte[]> transactional(String id) {
        // Longer than all stations together: nobody else shall end what is left open.
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "transactional.id", id, "linger.ms", 5,
                "transaction.timeout.ms", 900_000);
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    /** Transactions of two producers that interleave, in several segments; every third is aborted, the last stays open. */
    void transactions() throws Exception {
        long base = System.currentTimeMillis() - 4 * HOUR_MS;
        try (var one = transactional("one"); var other = transactional("other")) {
            for (int i = 0; i < 30; i++) {
                one.beginTransaction();
                other.beginTransaction();
                // The records jump to another segment twice.
                long time = base + i / 10 * 2 * HOUR_MS + i;
                for (int p = 0; p < 2; p++) {
                    one.send(new ProducerRecord<>("transactions", p, time, Cases.bytes("one-" + i), new byte[i * 7]));
                    other.send(new ProducerRecord<>("transactions", p, time, Cases.bytes("other-" + i), new byte[0])).get();
                }
                end(one, i % 3 == 0);
                end(other, i % 3 == 1);
            }
        }
        // Left as it is: closing it would abort.
        var open = transactional("open");
        open.beginTransaction();
        open.send(new ProducerRecord<>("undecided", 0, base, Cases.bytes("open"), Cases.bytes("value"))).get();
        try (var producer = producer("gzip")) {
            producer.send(new ProducerRecord<>("undecided", 0, base, Cases.bytes("behind"), Cases.bytes("it"))).get();
        }
    }

    static void end(KafkaProducer<byte[], byte[]> producer, boolean aborts) {
        if (aborts) {
            producer.abortTransaction();
        } else {
            producer.commitTransaction();
        }
    }

    /** Keys written over and over, some deleted in the end; then a Kafka has compacted them, and does so no more. */
    void compacted() throws Exception {
        String topic = "compacted";
        create(topic, 1, Map.of("cleanup.policy", "compact", "segment.ms", "60000", "min.cleanable.dirty.ratio", "0.01"));
        long base = System.currentTimeMillis() - HOUR_MS;
        List<Header> headers = List.of(new RecordHeader("h", Cases.bytes("v")), new RecordHeader("h", null));
        for (int round = 0; round < ROUNDS; round++) {
            // A producer for each round: of those whose records all go, a batch without records stays behind.
            try (var producer = producer(round % 2 == 0 ? "none" : "zstd")) {
                for (int key = 0; key < KEYS; key++) {
                    boolean deleted = round == ROUNDS - 1 && key % 4 == 0;
                    byte[] value = deleted ? null : Cases.bytes(round % 3 == 0 ? "" : "round " + round);
                    producer.send(new ProducerRecord<>(topic, 0, base + round, Cases.bytes("key-" + key), value, headers));
                }
            }
        }
        try (var producer = producer("none")) {
            producer.send(new ProducerRecord<>(topic, 0, base + 100_000, Cases.bytes("last"), Cases.bytes("v"))).get();
        }
        TopicPartition tp = new TopicPartition(topic, 0);
        try (var consumer = consumer("read_uncommitted")) {
            until(topic + " is compacted", () -> {
                long[] count = new long[1];
                read(consumer, tp, record -> count[0]++);
                Cases.equal("records in " + tp, (long) KEYS + 1, count[0]);
            });
        }
        // What comes behind stays as it is.
        set(ConfigResource.Type.TOPIC, topic, "min.cleanable.dirty.ratio", "1.0");
        set(ConfigResource.Type.TOPIC, topic, "segment.ms", "600000000");
        var of = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        until("the last setting", () -> {
            ConfigEntry entry = admin.describeConfigs(List.of(of)).all().get().get(of).get("segment.ms");
            Cases.equal("segment.ms", "600000000", entry.value());
        });
    }

    /** All topics, the brokers' own too. */
    Map<String, TopicDescription> topics() throws Exception {
        var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        return new TreeMap<>(admin.describeTopics(new TreeSet<>(names)).allTopicNames().get());
    }

    static boolean isOurs(TopicPartition tp) {
        return !tp.topic().startsWith("__");
    }

    static List<TopicPartition> partitions(Collection<TopicDescription> topics) {
        List<TopicPartition> out = new ArrayList<>();
        topics.forEach(topic -> topic.partitions().forEach(p -> out.add(new TopicPartition(topic.name(), p.partition()))));
        return out;
    }

    Map<TopicPartition, Set<Long>> producers(Collection<TopicPartition> partitions) throws Exception {
        Map<TopicPartition, Set<Long>> out = new HashMap<>();
        admin.describeProducers(partitions).all().get().forEach((partition, state) -> {
            Set<Long> ids = new HashSet<>();
            state.activeProducers().forEach(producer -> ids.add(producer.producerId()));
            out.put(partition, ids);
        });
        return out;
    }

    /** Appends records to every partition, and holds that offsets go on and that the producer is a new one. */
    void add() throws Exception {
        List<TopicPartition> partitions = partitions(topics().values());
        partitions.removeIf(tp -> !isOurs(tp));
        var before = producers(partitions);
        Set<Long> known = new HashSet<>();
        before.values().forEach(known::addAll);
        try (var consumer = consumer("read_uncommitted"); var producer = producer("lz4")) {
            var ends = consumer.endOffsets(partitions, LIMIT);
            Map<TopicPartition, List<Future<RecordMetadata>>> sent = new HashMap<>();
            for (int i = 0; i < ADDED; i++) {
                for (TopicPartition tp : partitions) {
                    var record = new ProducerRecord<>(tp.topic(), tp.partition(), Cases.bytes("added-" + i),
                            Cases.bytes("value " + i), List.<Header>of(new RecordHeader("i", Cases.bytes("" + i))));
                    sent.computeIfAbsent(tp, p -> new ArrayList<>()).add(producer.send(record));
                }
            }
            for (TopicPartition tp : partitions) {
                for (int i = 0; i < ADDED; i++) {
                    Cases.equal(tp + " offset " + i + " after the end", ends.get(tp) + i, sent.get(tp).get(i).get().offset());
                }
            }
        }
        for (var after : producers(partitions).entrySet()) {
            Set<Long> added = new HashSet<>(after.getValue());
            added.removeAll(before.get(after.getKey()));
            Cases.equal(after.getKey() + " new producers", 1, added.size());
            Cases.equal(after.getKey() + " producer id given before", false, known.removeAll(added));
        }
        System.out.println("added " + ADDED + " records to each of " + partitions.size() + " partitions");
    }

    KafkaConsumer<byte[], byte[]> consumer(String isolation) {
        // A partition that was read to its end is left: its fetch shall not be waited for.
        Map<String, Object> settings =
                Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "none", "fetch.max.wait.ms", 10,
                        "isolation.level", isolation);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    void tell() throws Exception {
        System.out.println("cluster " + admin.describeCluster().clusterId().get());
        var topics = topics();
        List<ConfigResource> resources = new ArrayList<>();
        for (var topic : topics.values()) {
            System.out.printf("topic %s id %s partitions %d%n", topic.name(), topic.topicId(), topic.partitions().size());
            resources.add(new ConfigResource(ConfigResource.Type.TOPIC, topic.name()));
        }
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, ""));
        resources.add(new ConfigResource(ConfigResource.Type.BROKER, "1"));
        resources.add(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "all"));
        var settings = admin.describeConfigs(resources).all().get();
        resources.forEach(resource -> tellSettings(resource, settings.get(resource)));

        var partitions = partitions(topics.values());
        var states = admin.describeProducers(partitions).all().get();
        var newest = new HashMap<TopicPartition, OffsetSpec>();
        partitions.forEach(tp -> newest.put(tp, OffsetSpec.maxTimestamp()));
        var newestOffsets = admin.listOffsets(newest).all().get();
        try (var consumer = consumer("read_uncommitted"); var committed = consumer("read_committed")) {
            for (TopicPartition tp : partitions) {
                System.out.printf("newest %s at %d time %d%n", tp, newestOffsets.get(tp).offset(),
                        newestOffsets.get(tp).timestamp());
                var producers = new ArrayList<>(states.get(tp).activeProducers());
                producers.sort((a, b) -> Long.compare(a.producerId(), b.producerId()));
                for (ProducerState p : producers) {
                    System.out.printf("producer %s id %d epoch %d sequence %d%n", tp, p.producerId(), p.producerEpoch(),
                            p.lastSequence());
                }
                tellRecords(consumer, tp);
                tellCommitted(committed, tp);
            }
        }
    }

    /** What was set here, and what comes from settings of a broker or of all of them. */
    static void tellSettings(ConfigResource resource, Config config) {
        var entries = new TreeMap<String, ConfigEntry>();
        config.entries().stream().filter(entry -> CHANGED.contains(entry.source())).forEach(e -> entries.put(e.name(), e));
        String name = resource.name().isEmpty() ? "all" : resource.name();
        for (ConfigEntry entry : entries.values()) {
            boolean inherited = switch (resource.type()) {
                case TOPIC -> entry.source() != ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG;
                case BROKER -> !resource.name().isEmpty()
                        && entry.source() == ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG;
                default -> false;
            };
            System.out.printf("%s %s %s %s=%s%n", inherited ? "inherited" : "setting", resource.type(), name, entry.name(),
                    entry.value());
        }
    }

    void tellRecords(KafkaConsumer<byte[], byte[]> consumer, TopicPartition tp) {
        // To the brokers' own topics nobody adds.
        String start = isOurs(tp) ? "start" : "internal";
        String record = isOurs(tp) ? "record" : "own";
        System.out.printf("%s %s at %d%n", start, tp, consumer.beginningOffsets(List.of(tp), LIMIT).get(tp));
        read(consumer, tp, r -> System.out.println(record + " " + tp + " " + line(r)));
    }

    /** What readers of committed records get, and how far; in brief, for it is among what was told already. */
    void tellCommitted(KafkaConsumer<byte[], byte[]> consumer, TopicPartition tp) {
        long[] count = new long[2];
        read(consumer, tp, r -> {
            count[0]++;
            count[1] = count[1] * 31 + line(r).hashCode();
        });
        System.out.printf("committed %s to %d records %d hash %x%n", tp, consumer.position(tp), count[0], count[1]);
    }

    /** Reads a partition from its beginning to its end, as far as this consumer may. */
    static void read(KafkaConsumer<byte[], byte[]> consumer, TopicPartition tp,
            Consumer<ConsumerRecord<byte[], byte[]>> each) {
        consumer.assign(List.of(tp));
        long end = consumer.endOffsets(List.of(tp), LIMIT).get(tp);
        consumer.seek(tp, consumer.beginningOffsets(List.of(tp), LIMIT).get(tp));
        while (consumer.position(tp) < end) {
            long before = consumer.position(tp);
            consumer.poll(LIMIT).forEach(each);
            // Markers and batches without records move it, too.
            if (consumer.position(tp) == before) {
                throw new Cases.Failed(tp + ": nothing came at " + before + ", the end is " + end);
            }
        }
    }

    static String line(ConsumerRecord<byte[], byte[]> r) {
        StringBuilder out = new StringBuilder();
        out.append(r.offset()).append(' ').append(r.timestampType()).append(' ').append(r.timestamp());
        out.append(" epoch ").append(r.leaderEpoch().orElse(-1));
        out.append(" key ").append(brief(r.key())).append(" value ").append(brief(r.value()));
        r.headers().forEach(h -> out.append(' ').append(h.key()).append('=').append(brief(h.value())));
        return out.toString();
    }

    /** A short text in full; else the length and a hash. */
    static String brief(byte[] field) {
        boolean hashed = field != null && field.length > 24;
        return hashed ? field.length + ":" + Integer.toHexString(Arrays.hashCode(field)) : Cases.brief(field);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2) {
            System.err.println("usage: java Moving fill|fill-kafka|tell|add HOST:PORT");
            System.exit(2);
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[1]))) {
            Moving moving = new Moving(arguments[1], admin);
            switch (arguments[0]) {
                case "fill" -> moving.fill();
                case "fill-kafka" -> moving.fillKafka();
                case "tell" -> moving.tell();
                case "add" -> moving.add();
                default -> throw new Cases.Failed(arguments[0] + ": neither fill, fill-kafka, tell nor add");
            }
        } catch (Cases.Failed difference) {
            System.out.println("FAILED " + difference.getMessage());
            System.exit(1);
        }
    }
}
