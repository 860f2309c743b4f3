import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.config.ConfigResource;

/** Fills topic old: one partition, messages of magic 0 and then 1, plain and in wrappers of each codec. */
public class OldFormats {
    static final String TOPIC = "old";

    public static void main(String[] args) throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", args[0]);
        try (Admin admin = Admin.create(config)) {
            Map<String, String> topic = new HashMap<>();
            topic.put("segment.bytes", "3000");
            topic.put("segment.index.bytes", "1000");
            topic.put("index.interval.bytes", "200");
            topic.put("message.format.version", "0.9.0");
            admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1).configs(topic))).all().get();
            write(args[0], 0);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
            AlterConfigOp set = new AlterConfigOp(new ConfigEntry("message.format.version", "0.10.2"), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
            Thread.sleep(3000);
            write(args[0], 1);
        }
    }

    static void write(String bootstrap, int part) throws Exception {
        Random random = new Random(part);
        for (int round = 0; round < 4; round++) {
            for (String codec : List.of("none", "gzip", "snappy", "lz4")) {
                Map<String, Object> config = new HashMap<>();
                config.put("bootstrap.servers", bootstrap);
                config.put("compression.type", codec);
                config.put("linger.ms", 200);
                config.put("acks", "all");
                config.put("max.in.flight.requests.per.connection", 1);
                config.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
                config.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
                try (KafkaProducer<String, String> producer = new KafkaProducer<>(config)) {
                    for (int i = 0; i < 15; i++) {
                        String value = random.nextInt(6) == 0 ? null : "value-" + part + "-" + round + "-" + codec + "-" + i;
                        long time = 1_700_000_000_000L + part * 100_000 + round * 10_000 + i * 7 % 5;
                        // Some keys come once, so that something is left of every wrapper.
                        String key = i % 4 == 1 ? part + "-" + round + "-" + codec + "-" + i : "key-" + random.nextInt(23);
                        producer.send(new ProducerRecord<>(TOPIC, 0, time, key, value));
                        if (i % 5 == 4) producer.flush();
                    }
                }
            }
        }
    }
}
