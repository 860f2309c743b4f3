import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;
public class Transactions {
  static long now = System.currentTimeMillis();
  static int number = 0;
  static final Map<String, Producer<byte[], byte[]>> producers = new TreeMap<>();
  public static void main(String[] a) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", a[0]))) {
      admin.createTopics(List.of(new NewTopic("transactions", 1, (short) 1).configs(Map.of(
        "index.interval.bytes", "200", "segment.ms", "3600000", "message.timestamp.after.max.ms", "9223372036854775807",
        "retention.ms", "-1")))).all().get();
    }
    for (String name : List.of("A", "B", "C")) producers.put(name, producer(a[0], Map.of("transactional.id", name,
        "transaction.timeout.ms", "900000")));
    producers.put("D", producer(a[0], Map.of("enable.idempotence", "true")));
    producers.put("E", producer(a[0], Map.of("enable.idempotence", "false")));
    for (String name : List.of("A", "B", "C")) producers.get(name).initTransactions();
    String script = """
      E2 D1 A+ A2 B+ B1 D2 A- B1 Bc C+ C3 C- E1 A+ A1 Ac C+ Cc B+ B- A+ A2 C+ C1 A1 Cc D1
      /
      B+ B2 A- C+ C1 B- C2 C- D3 A+ A1 A- A+ A1 A- A+ A1 B+ B1 B- B+ B2 Bc E2
      /
      D1 C+ C2 Ac C1 D1 C- B+ B1 C+ C1
      /
      E1 Bc D2 Cc A+ A2 Ac D1
      /
      E1 B+ B1 A+ A1 A- C+ C2 D1 A+ A2 Ac C1 E1
      """;
    for (String step : script.trim().split("\\s+")) {
      if (step.equals("/")) { now += 2 * 3600000L; continue; }
      var producer = producers.get(step.substring(0, 1));
      switch (step.charAt(1)) {
        case '+' -> producer.beginTransaction();
        case 'c' -> producer.commitTransaction();
        case '-' -> producer.abortTransaction();
        default -> {
          for (int i = 0; i < step.charAt(1) - '0'; i++, number++)
            producer.send(new ProducerRecord<>("transactions", 0, now + number, (step.substring(0, 1) + number).getBytes(),
              new byte[10 + 17 * (number % 7)]));
          producer.flush();
        }
      }
    }
    // The transactions of B and C stay open.
    Runtime.getRuntime().halt(0);
  }
  static Producer<byte[], byte[]> producer(String address, Map<String, Object> config) {
    Map<String, Object> all = new HashMap<>(config);
    all.put("bootstrap.servers", address);
    all.put("linger.ms", "20");
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
