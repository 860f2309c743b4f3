// Sends the message sets that are kept here; README.md says how it is run, with which releases.

import java.lang.reflect.Constructor;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class WriteOldVectors {
    static final long TIME = 1_700_000_000_000L;

    /** Arguments: bootstrap server, topic, codec. */
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        String codec = args[2];
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("compression.type", codec);
        p.put("linger.ms", "1000");
        p.put("batch.size", "1000000");
        p.put("acks", "1");
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<byte[], byte[]>(p, new ByteArraySerializer(), new ByteArraySerializer());
        // Learnt now, so that all records wait together.
        producer.partitionsFor(topic);
        producer.send(record(topic, TIME, bytes("key"), bytes("value")));
        producer.send(record(topic, TIME + 70, null, bytes("no key")));
        producer.send(record(topic, TIME + 3, bytes("no value"), null));
        producer.send(record(topic, TIME + 100_000, new byte[0], new byte[0]));
        // More than one block of every codec, of a text that compresses.
        int lines = codec.equals("none") ? 50 : 1500;
        for (int i = 0; i < lines; i++) {
            producer.send(record(topic, TIME + i, bytes("k" + i % 7), bytes("{\"line\":" + i + ",\"square\":" + (long) i * i + "}")));
        }
        producer.close();
    }

    /** Releases before 0.10 know no timestamp. */
    @SuppressWarnings("unchecked")
    static ProducerRecord<byte[], byte[]> record(String topic, long time, byte[] key, byte[] value) throws Exception {
        for (Constructor<?> constructor : ProducerRecord.class.getConstructors()) {
            Class<?>[] types = constructor.getParameterTypes();
            if (types.length == 5 && types[2] == Long.class && types[4] == Object.class) {
                return (ProducerRecord<byte[], byte[]>) constructor.newInstance(topic, 0, time, key, value);
            }
        }
        return new ProducerRecord<byte[], byte[]>(topic, 0, key, value);
    }

    static byte[] bytes(String text) throws Exception {
        return text.getBytes("UTF-8");
    }
}
