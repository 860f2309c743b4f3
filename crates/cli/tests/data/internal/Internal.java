import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.server.log.remote.metadata.storage.serialization.RemoteLogMetadataSerde;
import org.apache.kafka.server.log.remote.storage.*;
public class Internal {
  public static void main(String[] a) throws Exception {
    Map<String, Object> at = Map.of("bootstrap.servers", a[0]);
    try (Admin admin = Admin.create(at)) {
      admin.createTopics(List.of(new NewTopic("t", 2, (short) 1), new NewTopic("remote", 1, (short) 1), new NewTopic("gone", 1, (short) 1))).all().get();
      var producer = new KafkaProducer<>(with(at, "transactional.id", "txn-1"), new ByteArraySerializer(), new ByteArraySerializer());
      producer.initTransactions();
      for (int i = 0; i < 3; i++) {
        producer.beginTransaction();
        producer.send(new ProducerRecord<>("t", i % 2, null, ("v" + i).getBytes()));
        producer.sendOffsetsToTransaction(Map.of(new TopicPartition("t", 0), new OffsetAndMetadata(i)), new ConsumerGroupMetadata("by-txn"));
        if (i == 1) producer.abortTransaction(); else producer.commitTransaction();
      }
      for (String protocol : List.of("classic", "consumer")) {
        try (var c = new KafkaConsumer<>(with(at, "group.id", "g-" + protocol, "group.protocol", protocol, "auto.offset.reset", "earliest", "enable.auto.commit", "false", "client.id", "c"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
          c.subscribe(List.of("t"));
          while (c.poll(Duration.ofMillis(200)).count() == 0);
          c.commitSync(Map.of(new TopicPartition("t", 1), new OffsetAndMetadata(1, Optional.of(0), "m\u00e9ta \"x\"")));
        }
      }
      try (var c = new KafkaShareConsumer<>(with(at, "group.id", "g-share", "share.acknowledgement.mode", "implicit"), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, "g-share"), List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
        c.subscribe(List.of("t"));
        for (int i = 0, n = 0; i < 100 && n == 0; i++) n += c.poll(Duration.ofMillis(200)).count();
        c.commitSync();
      } catch (Exception e) { System.out.println("share: " + e); }
      admin.deleteConsumerGroups(List.of("by-txn")).all().get();
      admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("client-id", "c")), List.of(new ClientQuotaAlteration.Op("request_percentage", 12.5))))).all().get();
      admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("u", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "p".getBytes(), "salt".getBytes()))).all().get();
      admin.createPartitions(Map.of("t", NewPartitions.increaseTo(3))).all().get();
      admin.deleteTopics(List.of("gone")).all().get();
      try (var plain = new KafkaProducer<>(at, new ByteArraySerializer(), new ByteArraySerializer())) {
        var serde = new RemoteLogMetadataSerde();
        var tip = new TopicIdPartition(new Uuid(1, 2), new TopicPartition("t", 0));
        var id = new RemoteLogSegmentId(tip, new Uuid(3, 4));
        var custom = Optional.of(new RemoteLogSegmentMetadata.CustomMetadata(new byte[5]));
        for (RemoteLogMetadata m : List.of(
            new RemoteLogSegmentMetadata(id, 0, 99, 1700000000000L, 1, 1700000000001L, 1024, Map.of(0, 0L, 2, 50L)),
            new RemoteLogSegmentMetadata(id, 100, 199, 1700000000000L, 1, 1700000000001L, 1024, custom, RemoteLogSegmentState.COPY_SEGMENT_FINISHED, Map.of(2, 100L), true),
            new RemoteLogSegmentMetadataUpdate(id, 1700000000002L, custom, RemoteLogSegmentState.COPY_SEGMENT_FINISHED, 1),
            new RemoteLogSegmentMetadataUpdate(id, 1700000000003L, Optional.empty(), RemoteLogSegmentState.DELETE_SEGMENT_STARTED, 1),
            new RemotePartitionDeleteMetadata(tip, RemotePartitionDeleteState.DELETE_PARTITION_MARKED, 1700000000004L, 1)))
          plain.send(new ProducerRecord<>("remote", 0, null, serde.serialize(m))).get();
        plain.send(new ProducerRecord<>("remote", 0, null, "nonsense".getBytes())).get();
      }
    }
    System.out.println("done");
    Runtime.getRuntime().halt(0);
  }
  static Map<String, Object> with(Map<String, Object> at, String... more) {
    Map<String, Object> all = new HashMap<>(at);
    for (int i = 0; i < more.length; i += 2) all.put(more[i], more[i + 1]);
    return all;
  }
}
