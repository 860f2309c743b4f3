// Kafka's clients as they were in 0.8.2 and 0.9.0: messages of magic 0, which have neither timestamps nor headers. Two
// producers, the old one in Scala and the new one in Java; one consumer, SimpleConsumer, which asks a broker itself. There
// was no admin client: topics are made by asking for them.

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import kafka.api.FetchRequestBuilder;
import kafka.api.PartitionOffsetRequestInfo;
import kafka.common.TopicAndPartition;
import kafka.javaapi.OffsetRequest;
import kafka.javaapi.PartitionMetadata;
import kafka.javaapi.TopicMetadata;
import kafka.javaapi.TopicMetadataRequest;
import kafka.javaapi.consumer.SimpleConsumer;
import kafka.javaapi.producer.Producer;
import kafka.message.MessageAndOffset;
import kafka.producer.KeyedMessage;
import kafka.producer.Partitioner;
import kafka.producer.ProducerConfig;
import kafka.utils.VerifiableProperties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Interop08 {
    /** What one answer may hold of a partition. */
    static final int FETCH_BYTES = 2_000_000;
    /** Error codes as Kafka numbers them. */
    static final short NONE = 0;
    static final short OFFSET_OUT_OF_RANGE = 1;
    static final short UNKNOWN_TOPIC_OR_PARTITION = 3;
    static final short INVALID_TOPIC = 17;

    /** The old producer asks this for the partition; it is what the record was given as its partition key. */
    public static class AsTold implements Partitioner {
        public AsTold(VerifiableProperties unused) {}

        @Override
        public int partition(Object key, int partitions) {
            return (Integer) key;
        }
    }

    static byte[] bytes(ByteBuffer field) {
        if (field == null) {
            return null;
        }
        byte[] out = new byte[field.remaining()];
        field.get(out);
        return out;
    }

    /** What the broker says of a topic. */
    static TopicMetadata ask(SimpleConsumer consumer, String topic) {
        List<TopicMetadata> told = consumer.send(new TopicMetadataRequest(List.of(topic))).topicsMetadata();
        Cases.equal(topic + " number of topics told", 1, told.size());
        Cases.equal(topic + " name", topic, told.get(0).topic());
        return told.get(0);
    }

    /** Makes the topic by asking for it until all its partitions have a leader; how many there are. */
    static int create(SimpleConsumer consumer, String topic, int node) throws InterruptedException {
        long end = System.currentTimeMillis() + Cases.LIMIT_MS;
        while (true) {
            TopicMetadata told = ask(consumer, topic);
            List<PartitionMetadata> partitions = told.partitionsMetadata();
            if (told.errorCode() == NONE && partitions.stream().allMatch(p -> p.leader() != null)) {
                for (PartitionMetadata p : partitions) {
                    Cases.equal(topic + " leader", node, p.leader().id());
                    Cases.equal(topic + " replicas", 1, p.replicas().size());
                    Cases.equal(topic + " in-sync replicas", 1, p.isr().size());
                }
                return partitions.size();
            }
            if (System.currentTimeMillis() > end) {
                throw new Cases.Failed(topic + " has no leader, error " + told.errorCode());
            }
            Thread.sleep(50);
        }
    }

    /** Sends all records by the new producer; gives back what was acknowledged: per partition, by offset. */
    static Map<Integer, TreeMap<Long, Cases.Entry>> produce(String topic, Map<String, Object> settings) throws Exception {
        Map<Integer, TreeMap<Long, Cases.Entry>> sent = new TreeMap<>();
        List<Cases.Entry> records = Cases.records(false);
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (Cases.Entry r : records) {
                futures.add(producer.send(new ProducerRecord<>(topic, r.key(), r.value())));
            }
            for (int i = 0; i < futures.size(); i++) {
                RecordMetadata at = futures.get(i).get(Cases.LIMIT_MS, TimeUnit.MILLISECONDS);
                sent.computeIfAbsent(at.partition(), p -> new TreeMap<>()).put(at.offset(), records.get(i));
            }
        }
        return sent;
    }

    /** The same by the old producer, which does not tell offsets: they have to be those of the order of sending. */
    static Map<Integer, TreeMap<Long, Cases.Entry>> produceOld(String topic, int partitions, Properties settings) {
        Map<Integer, TreeMap<Long, Cases.Entry>> sent = new TreeMap<>();
        var producer = new Producer<byte[], byte[]>(new ProducerConfig(settings));
        try {
            List<KeyedMessage<byte[], byte[]>> batch = new ArrayList<>();
            int i = 0;
            for (Cases.Entry r : Cases.records(false)) {
                int partition = i++ % partitions;
                var into = sent.computeIfAbsent(partition, p -> new TreeMap<>());
                into.put((long) into.size(), r);
                batch.add(new KeyedMessage<>(topic, r.key(), partition, r.value()));
                // Up to the large record each goes alone, and the small ones in hundreds.
                if (i < 8 || batch.size() == 100) {
                    producer.send(batch);
                    batch = new ArrayList<>();
                }
            }
            producer.send(batch);
        } finally {
            producer.close();
        }
        return sent;
    }

    /** The messages from `offset` on that one answer brings. */
    static List<MessageAndOffset> fetch(SimpleConsumer consumer, String topic, int partition, long offset) {
        var request = new FetchRequestBuilder().clientId("interop").minBytes(1).maxWait((int) Cases.LIMIT_MS)
                .addFetch(topic, partition, offset, FETCH_BYTES).build();
        var response = consumer.fetch(request);
        Cases.equal(topic + " error", NONE, response.errorCode(topic, partition));
        List<MessageAndOffset> out = new ArrayList<>();
        for (MessageAndOffset m : response.messageSet(topic, partition)) {
            // A compressed message comes whole, whatever offset was asked for.
            if (m.offset() >= offset) {
                Cases.equal(topic + " magic at " + m.offset(), (byte) 0, m.message().magic());
                m.message().ensureValid();
                out.add(m);
            }
        }
        if (out.isEmpty()) {
            throw new Cases.Failed(topic + ": nothing came from offset " + offset + " on");
        }
        return out;
    }

    /** Segments' first offsets and the end, newest first, as they were at `time`; −1 is the end, −2 the beginning. */
    static List<Long> offsets(SimpleConsumer consumer, String topic, int partition, long time, int most) {
        var wanted = Map.of(new TopicAndPartition(topic, partition), new PartitionOffsetRequestInfo(time, most));
        var response = consumer.getOffsetsBefore(new OffsetRequest(wanted, (short) 0, "interop"));
        Cases.equal(topic + " error of offsets", NONE, response.errorCode(topic, partition));
        List<Long> out = new ArrayList<>();
        for (long offset : response.offsets(topic, partition)) {
            out.add(offset);
        }
        return out;
    }

    /** A message as a record; its time is taken from what was sent, since it has none of its own. */
    static Cases.Entry entry(MessageAndOffset m, Cases.Entry sent) {
        long timestamp = sent == null ? -1 : sent.timestamp();
        return new Cases.Entry(bytes(m.message().key()), bytes(m.message().payload()), List.of(), timestamp);
    }

    /** Reads all and compares; offsets by position and by time; a start in the middle of a batch. */
    static void compare(SimpleConsumer consumer, String topic, Map<Integer, TreeMap<Long, Cases.Entry>> sent) {
        var reading = new Cases.Reading(topic, sent);
        for (int partition : sent.keySet()) {
            TreeMap<Long, Cases.Entry> entries = sent.get(partition);
            long end = entries.size();
            Cases.equal(topic + " end", List.of(end), offsets(consumer, topic, partition, -1, 1));
            Cases.equal(topic + " start", List.of(0L), offsets(consumer, topic, partition, -2, 1));
            long later = System.currentTimeMillis() + 3_600_000;
            Cases.equal(topic + " in an hour", List.of(end, 0L), offsets(consumer, topic, partition, later, 9));
            Cases.equal(topic + " in an hour, one", List.of(end), offsets(consumer, topic, partition, later, 1));
            Cases.equal(topic + " long ago", List.of(), offsets(consumer, topic, partition, 1, 9));
            for (long next = 0; next < end; ) {
                for (MessageAndOffset m : fetch(consumer, topic, partition, next)) {
                    reading.take(partition, m.offset(), entry(m, entries.get(m.offset())));
                    next = m.offset() + 1;
                }
            }
            long middle = end / 2;
            MessageAndOffset first = fetch(consumer, topic, partition, middle).get(0);
            Cases.equal(topic + " from the middle", middle, first.offset());
            Cases.same(topic + " from the middle", entries.get(middle), entry(first, entries.get(middle)));
            var behind = new FetchRequestBuilder().clientId("interop").addFetch(topic, partition, end + 1, 1000).build();
            Cases.equal(topic + " behind the end", OFFSET_OUT_OF_RANGE, consumer.fetch(behind).errorCode(topic, partition));
        }
        reading.end();
    }

    /** What has to be refused. */
    static void refusals(SimpleConsumer consumer) {
        Cases.equal("metadata of an impossible name", INVALID_TOPIC, ask(consumer, "interop,08").errorCode());
        String nowhere = Cases.topic("nowhere");
        var request = new FetchRequestBuilder().clientId("interop").addFetch(nowhere, 0, 0, 1000).build();
        Cases.equal("fetch of nothing", UNKNOWN_TOPIC_OR_PARTITION, consumer.fetch(request).errorCode(nowhere, 0));
    }

    public static void main(String[] arguments) throws Exception {
        Cases.main(arguments, () -> {
            int colon = arguments[0].lastIndexOf(':');
            String host = arguments[0].substring(0, colon);
            int port = Integer.parseInt(arguments[0].substring(colon + 1));
            var consumer = new SimpleConsumer(host, port, (int) Cases.LIMIT_MS, 1 << 20, "interop");
            try {
                refusals(consumer);
                int node = Integer.getInteger("interop.node", 1);
                for (String codec : List.of("none", "gzip", "snappy", "lz4")) {
                    String topic = Cases.topic(codec);
                    create(consumer, topic, node);
                    // One request in flight: a batch that is sent again may be overtaken by the next.
                    compare(consumer, topic, produce(topic, Map.of("bootstrap.servers", arguments[0], "acks", "all",
                            "compression.type", codec, "max.in.flight.requests.per.connection", 1)));

                    topic = Cases.topic("old-" + codec);
                    int partitions = create(consumer, topic, node);
                    Properties settings = new Properties();
                    settings.put("metadata.broker.list", arguments[0]);
                    settings.put("request.required.acks", "-1");
                    settings.put("compression.codec", codec);
                    settings.put("partitioner.class", AsTold.class.getName());
                    compare(consumer, topic, produceOld(topic, partitions, settings));
                }
            } finally {
                consumer.close();
            }
        });
    }
}
