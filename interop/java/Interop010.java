// Kafka's own Java clients as they were in 0.10.0: producer and consumer by assignment, records of magic 1, which have no
// headers. There was no admin client: topics are made by asking for them. Offsets are found by seeking.

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

public class Interop010 {
    static Cases.Entry entry(ConsumerRecord<byte[], byte[]> r) {
        return new Cases.Entry(r.key(), r.value(), List.of(), r.timestamp());
    }

    /** Sends all records; gives back what was acknowledged: per partition, by offset. */
    static Map<Integer, TreeMap<Long, Cases.Entry>> produce(String topic, Map<String, Object> settings)
            throws Exception {
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

    static void round(String bootstrap, KafkaConsumer<byte[], byte[]> consumer, String codec) throws Exception {
        String topic = Cases.topic(codec);
        // One request in flight: a batch that is sent again may be overtaken by the next.
        var sent = produce(topic, Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "acks", "all",
                "max.in.flight.requests.per.connection", 1));
        List<TopicPartition> all = new ArrayList<>();
        sent.keySet().forEach(p -> all.add(new TopicPartition(topic, p)));
        Cases.equal(topic + " partitions", all.size(), consumer.partitionsFor(topic).size());
        consumer.assign(all);
        consumer.seekToBeginning(all);
        var reading = new Cases.Reading(topic, sent);
        read(consumer, topic, reading.count()).forEach(r -> reading.take(r.partition(), r.offset(), entry(r)));
        reading.end();

        for (TopicPartition tp : all) {
            TreeMap<Long, Cases.Entry> entries = sent.get(tp.partition());
            consumer.assign(List.of(tp));
            consumer.seekToEnd(List.of(tp));
            Cases.equal(tp + " end", (long) entries.size(), consumer.position(tp));
            long middle = entries.size() / 2;
            consumer.seek(tp, middle);
            var first = read(consumer, topic, 1).get(0);
            Cases.equal(tp + " from the middle", middle, first.offset());
            Cases.same(tp + " from the middle", entries.get(middle), entry(first));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Cases.main(arguments, () -> {
            Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "auto.offset.reset", "none",
                    "group.id", "none", "enable.auto.commit", "false");
            try (var consumer =
                    new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                for (String codec : List.of("none", "gzip", "snappy", "lz4")) {
                    round(arguments[0], consumer, codec);
                }
            }
        });
    }
}
