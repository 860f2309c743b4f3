// Writes the topics whose logs are kept here; README.md says how it is run.

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class WriteVectors {
    static final long TIME = 1_700_000_000_000L;

    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
                create(admin, codec, Map.of());
                write(args[0], codec, codec, false);
            }
            create(admin, "append-time", Map.of("message.timestamp.type", "LogAppendTime"));
            write(args[0], "append-time", "lz4", false);
            create(admin, "transaction", Map.of());
            write(args[0], "transaction", "none", true);
        }
    }

    static void create(Admin admin, String topic, Map<String, String> configs) throws Exception {
        // The records are old: nothing may expire or roll because of that.
        Map<String, String> all = new HashMap<>(configs);
        all.put("retention.ms", "-1");
        all.put("segment.ms", "" + Long.MAX_VALUE);
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(1), Optional.empty()).configs(all))).all().get();
    }

    static void write(String bootstrap, String topic, String codec, boolean transaction) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("compression.type", codec);
        p.put("linger.ms", "1000");
        p.put("batch.size", "1000000");
        if (transaction) p.put("transactional.id", "vectors");
        try (var producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
            if (transaction) {
                producer.initTransactions();
                producer.beginTransaction();
            }
            // The first batch: every shape of a record.
            send(producer, topic, TIME, bytes("key"), bytes("value"));
            send(producer, topic, TIME + 70, null, bytes("no key"));
            send(producer, topic, TIME - 5, bytes("no value"), null);
            send(producer, topic, TIME + 100_000, new byte[0], new byte[0]);
            send(producer, topic, TIME, bytes("headers"), bytes("three"),
                new RecordHeader("a", bytes("1")), new RecordHeader("a", bytes("2")), new RecordHeader("é", (byte[]) null));
            producer.flush();
            // The second: more than one block of every codec, of a text that compresses.
            int lines = codec.equals("none") ? 100 : 3000;
            for (int i = 0; i < lines; i++) {
                send(producer, topic, TIME + i, bytes("k" + i % 7), bytes("{\"line\":" + i + ",\"square\":" + (long) i * i + "}"));
            }
            producer.flush();
            if (transaction) producer.commitTransaction();
        }
    }

    static void send(KafkaProducer<byte[], byte[]> producer, String topic, long time, byte[] key, byte[] value,
                     org.apache.kafka.common.header.Header... headers) {
        producer.send(new ProducerRecord<>(topic, 0, time, key, value, List.of(headers)));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
