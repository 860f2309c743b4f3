// Kafka's own Java clients as they were from 0.11 to 2.x: admin, producer (idempotent where it is told to), consumer by
// assignment.

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
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

public class Interop011 {
    /** Runs what the broker must refuse with this exception. */
    static void refused(String what, Class<?> with, Cases.Step step) throws Exception {
        try {
            step.run();
        } catch (ExecutionException e) {
            Cases.equal(what, with, e.getCause().getClass());
            return;
        }
        throw new Cases.Failed(what + ": was not refused");
    }

    static List<Header> headers(Cases.Entry entry) {
        List<Header> out = new ArrayList<>();
        entry.headers().forEach(tag -> out.add(new RecordHeader(tag.key(), tag.value())));
        return out;
    }

    static Cases.Entry entry(ConsumerRecord<byte[], byte[]> r) {
        List<Cases.Tag> headers = new ArrayList<>();
        r.headers().forEach(header -> headers.add(new Cases.Tag(header.key(), header.value())));
        return new Cases.Entry(r.key(), r.value(), headers, r.timestamp());
    }

    /** Sends all records; gives back what was acknowledged: per partition, by offset. */
    static Map<Integer, TreeMap<Long, Cases.Entry>> produce(String topic, Map<String, Object> settings)
            throws Exception {
        Map<Integer, TreeMap<Long, Cases.Entry>> sent = new TreeMap<>();
        List<Cases.Entry> records = Cases.records(true);
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (Cases.Entry r : records) {
                futures.add(producer.send(
                        new ProducerRecord<>(topic, null, r.timestamp(), r.key(), r.value(), headers(r))));
            }
            for (int i = 0; i < futures.size(); i++) {
                RecordMetadata at = futures.get(i).get(Cases.LIMIT_MS, TimeUnit.MILLISECONDS);
                sent.computeIfAbsent(at.partition(), p -> new TreeMap<>()).put(at.offset(), records.get(i));
            }
        }
        return sent;
    }

    /** The next `count` records. */
    static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, String topic, int count) {
        List<ConsumerRecord<byte[], byte[]>> out = new ArrayList<>();
        while (out.size() < count) {
            var polled = consumer.poll(Cases.LIMIT_MS);
            if (polled.isEmpty()) {
                throw new Cases.Failed(topic + ": " + out.size() + " of " + count + " records came, then nothing");
            }
            polled.forEach(out::add);
        }
        return out;
    }

    /** Reads everything from the start and compares. */
    static void compare(KafkaConsumer<byte[], byte[]> consumer, String topic,
            Map<Integer, TreeMap<Long, Cases.Entry>> sent) {
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < Cases.PARTITIONS; p++) {
            all.add(new TopicPartition(topic, p));
        }
        consumer.assign(all);
        consumer.seekToBeginning(all);
        var reading = new Cases.Reading(topic, sent);
        read(consumer, topic, reading.count()).forEach(r -> reading.take(r.partition(), r.offset(), entry(r)));
        reading.end();
    }

    /** Offsets by position and by time, and a start in the middle of a batch. */
    static void lookUp(KafkaConsumer<byte[], byte[]> consumer, String topic,
            Map<Integer, TreeMap<Long, Cases.Entry>> sent) {
        for (var partition : sent.entrySet()) {
            TopicPartition tp = new TopicPartition(topic, partition.getKey());
            TreeMap<Long, Cases.Entry> entries = partition.getValue();
            long middle = entries.size() / 2;
            long time = entries.get(middle).timestamp();
            Cases.equal(tp + " start", Map.of(tp, 0L), consumer.beginningOffsets(List.of(tp)));
            Cases.equal(tp + " end", Map.of(tp, (long) entries.size()), consumer.endOffsets(List.of(tp)));
            var timed = consumer.offsetsForTimes(Map.of(tp, time)).get(tp);
            Cases.equal(tp + " offset for a time", middle, timed.offset());
            consumer.assign(List.of(tp));
            consumer.seek(tp, middle);
            var first = read(consumer, topic, 1).get(0);
            Cases.equal(tp + " from the middle", middle, first.offset());
            Cases.same(tp + " from the middle", entries.get(middle), entry(first));
        }
    }

    static void round(String bootstrap, AdminClient admin, KafkaConsumer<byte[], byte[]> consumer, String what,
            Map<String, Object> settings) throws Exception {
        String topic = Cases.topic(what);
        NewTopic wanted = new NewTopic(topic, Cases.PARTITIONS, (short) 1);
        admin.createTopics(List.of(wanted)).all().get();
        refused(topic + " created twice", TopicExistsException.class,
                () -> admin.createTopics(List.of(wanted)).all().get());

        Map<String, Object> producer = new TreeMap<>(settings);
        producer.put("bootstrap.servers", bootstrap);
        var sent = produce(topic, producer);
        var described = admin.describeTopics(List.of(topic)).all().get().get(topic);
        Cases.equal(topic + " partitions", Cases.PARTITIONS, described.partitions().size());
        compare(consumer, topic, sent);
        lookUp(consumer, topic, sent);
        admin.deleteTopics(List.of(topic)).all().get();
        refused(topic + " deleted twice", UnknownTopicOrPartitionException.class,
                () -> admin.deleteTopics(List.of(topic)).all().get());
    }

    public static void main(String[] arguments) throws Exception {
        Cases.main(arguments, () -> {
            Map<String, Object> connect = Map.of("bootstrap.servers", arguments[0]);
            Map<String, Object> read = Map.of("bootstrap.servers", arguments[0], "auto.offset.reset", "none",
                    "group.id", "none", "enable.auto.commit", "false");
            try (AdminClient admin = AdminClient.create(connect);
                    var consumer =
                            new KafkaConsumer<>(read, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                List<String> codecs = new ArrayList<>(List.of("none", "gzip", "snappy", "lz4"));
                // Since 2.1.
                if (Interop011.class.getClassLoader().getResource("com/github/luben/zstd/Zstd.class") != null) {
                    codecs.add("zstd");
                }
                for (String codec : codecs) {
                    // One request in flight: a batch that is sent again may be overtaken by the next.
                    round(arguments[0], admin, consumer, codec, Map.of("compression.type", codec, "acks", "all",
                            "max.in.flight.requests.per.connection", 1));
                }
                round(arguments[0], admin, consumer, "idempotent", Map.of("enable.idempotence", "true"));
            }
        });
    }
}
