import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** Writes two compacted topics that nobody cleans yet, or has them cleaned: README.md. */
public class Compacted {
  static final List<String> TOPICS = List.of("plain", "codecs");
  static long now;
  static int number;
  static final Map<String, Producer<byte[], byte[]>> producers = new TreeMap<>();

  public static void main(String[] a) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", a[0]))) {
      switch (a[1]) {
        case "first" -> { create(admin); write(a[0], 1); }
        case "again" -> { hold(admin, true); write(a[0], 2); }
        case "clean" -> hold(admin, false);
      }
    }
    Runtime.getRuntime().halt(0);
  }

  static void create(Admin admin) throws Exception {
    for (String topic : TOPICS)
      admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("cleanup.policy", "compact",
        "index.interval.bytes", "200", "internal.segment.bytes", "3000", "min.compaction.lag.ms", "900000000000",
        "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "1000",
        "message.timestamp.after.max.ms", "9223372036854775807")))).all().get();
  }

  /** Whether nothing is to be cleaned. */
  static void hold(Admin admin, boolean holds) throws Exception {
    for (String topic : TOPICS)
      admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), List.of(new AlterConfigOp(
        new ConfigEntry("min.compaction.lag.ms", holds ? "900000000000" : "0"), AlterConfigOp.OpType.SET)))).all().get();
  }

  /** Letters are producers: A, B, C transactional, D idempotent, E neither; + begins, c commits, - aborts, numbers send. */
  static void write(String address, int round) throws Exception {
    for (String topic : TOPICS) {
      now = 1_700_000_000_000L + round * 1_000_000L;
      number = 0;
      List<String> codecs = topic.equals("plain") ? List.of("none") : List.of("gzip", "snappy", "lz4", "zstd", "none");
      int codec = 0;
      for (String name : List.of("A", "B", "C", "D", "E")) {
        Map<String, Object> config = new HashMap<>(Map.of("compression.type", codecs.get(codec++ % codecs.size())));
        if (name.compareTo("D") < 0) config.putAll(Map.of("transactional.id", topic + name + round));
        else config.put("enable.idempotence", name.equals("D") ? "true" : "false");
        Producer<byte[], byte[]> producer = producer(address, config);
        if (name.compareTo("D") < 0) producer.initTransactions();
        producers.put(name, producer);
      }
      String script = """
        D9 E9 A+ A5 B+ B4 D7 A- B3 Bc C+ C6 C- E8 D3 A+ A2 Ac C+ Cc D9 E9 B+ B- A+ A8 E5 C+ C1 A1 Cc Ac D1
        E9 E9 D9 B+ B9 C+ C9 B- C4 Cc A+ A3 D9 D9 A- E9 E9 B+ B2 Bc E1 A+ A1 Ac C+ C7 C- D2 E9 E9 D9 A+ A1 A- E9
        """;
      for (String step : script.trim().split("\\s+")) step(topic, step);
      for (var producer : producers.values()) producer.close();
    }
  }

  static void step(String topic, String step) throws Exception {
    var producer = producers.get(step.substring(0, 1));
    switch (step.charAt(1)) {
      case '+' -> producer.beginTransaction();
      case 'c' -> producer.commitTransaction();
      case '-' -> producer.abortTransaction();
      default -> {
        for (int i = 0; i < step.charAt(1) - '0'; i++, number++) {
          byte[] key = ("key " + (number * 7 + number / 5) % 23).getBytes();
          byte[] value = number % 6 == 0 ? null : ("value " + number + " " + "x".repeat(13 * (number % 5))).getBytes();
          var record = new ProducerRecord<>(topic, 0, now + number, key, value);
          if (number % 4 == 0) record.headers().add("h", ("header " + number).getBytes());
          producer.send(record);
        }
        producer.flush();
      }
    }
  }

  static Producer<byte[], byte[]> producer(String address, Map<String, Object> config) {
    Map<String, Object> all = new HashMap<>(config);
    all.put("bootstrap.servers", address);
    all.put("linger.ms", "20");
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
