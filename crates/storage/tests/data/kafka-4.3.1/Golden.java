import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;
public class Golden {
  public static void main(String[] a) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", a[0]))) {
      admin.createTopics(List.of(new NewTopic("golden", 1, (short) 1).configs(Map.of(
        "index.interval.bytes", "200", "segment.ms", "60000", "message.timestamp.after.max.ms", "9223372036854775807",
        "message.timestamp.before.max.ms", "9223372036854775807", "retention.ms", "-1")))).all().get();
    }
    long now = 1700000000000L;
    List<Producer<byte[], byte[]>> producers = new ArrayList<>();
    for (int p = 0; p < 3; p++)
      producers.add(new KafkaProducer<>(Map.of("bootstrap.servers", a[0], "linger.ms", "20", "enable.idempotence", p < 2 ? "true" : "false"),
        new ByteArraySerializer(), new ByteArraySerializer()));
    for (int i = 0; i < 40; i++) {
      Producer<byte[], byte[]> producer = producers.get(i % 3);
      long timestamp = now + 1000L * i + (i >= 15 ? 100000 : 0) + (i >= 30 ? 100000 : 0) - (i % 7 == 3 ? 5000 : 0);
      Future<RecordMetadata> last = null;
      for (int r = 0; r <= i % 4; r++)
        last = producer.send(new ProducerRecord<>("golden", 0, timestamp + r, ("key" + i).getBytes(), new byte[10 + 13 * (i % 9)]));
      last.get();
    }
    for (var p : producers) p.close();
  }
}
