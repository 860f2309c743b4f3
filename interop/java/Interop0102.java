// Kafka's own Java client as it was in 0.10.2: records of magic 1, no headers, no admin client, and the first consumer that
// reads what it is assigned without a group's coordinator. Topics are made by asking for them.

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Interop0102 {
    static Cases.Entry entry(ConsumerRecord<byte[], byte[]> r) {
        return new Cases.Entry(r.key(), r.value(), List.of(), r.timestamp());
    }

    /** Sends all records; gives back what was acknowledged: per partition, by offset. */
    static Map<Integer, TreeMap<Long, Cases.Entry>> produce(String topic, Map<String, Object> settings) throws Exception {
        Map<Integer, TreeMap<Long, Cases.Entry>> sent = new TreeMap<>();
        List<Cases.Entry> records = Cases.records(false);
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (Cases.Entry r : records) {
                futures.add(producer.send(new ProducerRecord<>(topic, null, r.timestamp(), r.key(), r.value())));
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

    static void round(KafkaConsumer<byte[], byte[]> consumer, String topic, Map<Integer, TreeMap<Long, Cases.Entry>> sent) {
        List<TopicPartition> all = new ArrayList<>();
        sent.keySet().forEach(p -> all.add(new TopicPartition(topic, p)));
        Cases.equal(topic + " known", true, consumer.listTopics().containsKey(topic));
        consumer.assign(all);
        consumer.seekToBeginning(all);
        var reading = new Cases.Reading(topic, sent);
        read(consumer, topic, reading.count()).forEach(r -> reading.take(r.partition(), r.offset(), entry(r)));
        reading.end();
        for (TopicPartition tp : all) {
            TreeMap<Long, Cases.Entry> entries = sent.get(tp.partition());
            long middle = entries.size() / 2;
            long time = entries.get(middle).timestamp();
            Cases.equal(tp + " start", Map.of(tp, 0L), consumer.beginningOffsets(List.of(tp)));
            Cases.equal(tp + " end", Map.of(tp, (long) entries.size()), consumer.endOffsets(List.of(tp)));
            var timed = consumer.offsetsForTimes(Map.of(tp, time)).get(tp);
            Cases.equal(tp + " offset for a time", middle, timed.offset());
            Cases.equal(tp + " time of that offset", time, timed.timestamp());
            var later = consumer.offsetsForTimes(Map.of(tp, System.currentTimeMillis() + 3_600_000));
            Cases.equal(tp + " offset for a time to come", null, later.get(tp));
            consumer.assign(List.of(tp));
            consumer.seek(tp, middle);
            var first = read(consumer, topic, 1).get(0);
            Cases.equal(tp + " from the middle", middle, first.offset());
            Cases.same(tp + " from the middle", entries.get(middle), entry(first));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Cases.main(arguments, () -> {
            Map<String, Object> read = Map.of("bootstrap.servers", arguments[0], "auto.offset.reset", "none",
                    "group.id", "none", "enable.auto.commit", "false");
            try (var consumer = new KafkaConsumer<>(read, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                for (String codec : List.of("none", "gzip", "snappy", "lz4")) {
                    String topic = Cases.topic(codec);
                    // One request in flight: a batch that is sent again may be overtaken by the next.
                    round(consumer, topic, produce(topic, Map.of("bootstrap.servers", arguments[0], "acks", "all",
                            "compression.type", codec, "max.in.flight.requests.per.connection", 1)));
                }
            }
        });
    }
}
