// Kafka's own Java client as it was in 0.10.0: records of magic 1, which have no headers. There was no admin client:
// topics are made by asking for them. Its consumer does nothing without a group's coordinator, whatever it is assigned; so
// what it is made of reads here: its requests (Fetch v2, ListOffsets v0), its responses, its records.

import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.record.LogEntry;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.requests.FetchRequest;
import org.apache.kafka.common.requests.FetchResponse;
import org.apache.kafka.common.requests.ListOffsetRequest;
import org.apache.kafka.common.requests.ListOffsetResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.RequestSend;
import org.apache.kafka.common.requests.ResponseHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Interop010 {
    /** What one answer may hold of a partition. */
    static final int FETCH_BYTES = 2_000_000;

    static byte[] bytes(ByteBuffer field) {
        if (field == null) {
            return null;
        }
        byte[] out = new byte[field.remaining()];
        field.get(out);
        return out;
    }

    static Cases.Entry entry(LogEntry e) {
        return new Cases.Entry(bytes(e.record().key()), bytes(e.record().value()), List.of(), e.record().timestamp());
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

    /** A connection that asks one thing at a time. */
    static class Asking implements AutoCloseable {
        final Socket socket;
        final DataInputStream in;
        int correlation;

        Asking(String bootstrap) throws IOException {
            int colon = bootstrap.lastIndexOf(':');
            socket = new Socket(bootstrap.substring(0, colon), Integer.parseInt(bootstrap.substring(colon + 1)));
            socket.setSoTimeout((int) Cases.LIMIT_MS);
            in = new DataInputStream(socket.getInputStream());
        }

        /** The body of the answer. */
        ByteBuffer ask(ApiKeys api, Struct request) throws IOException {
            ByteBuffer frame = RequestSend.serialize(new RequestHeader(api.id, "interop", ++correlation), request);
            var out = socket.getOutputStream();
            out.write(ByteBuffer.allocate(4).putInt(frame.remaining()).array());
            out.write(frame.array(), frame.arrayOffset() + frame.position(), frame.remaining());
            byte[] answer = new byte[in.readInt()];
            in.readFully(answer);
            ByteBuffer body = ByteBuffer.wrap(answer);
            Cases.equal("correlation id", correlation, ResponseHeader.parse(body).correlationId());
            return body;
        }

        /** The entries from `offset` on that one answer brings. */
        List<LogEntry> fetch(TopicPartition tp, long offset) throws IOException {
            var wanted = Map.of(tp, new FetchRequest.PartitionData(offset, FETCH_BYTES));
            var body = ask(ApiKeys.FETCH, new FetchRequest((int) Cases.LIMIT_MS, 1, wanted).toStruct());
            var got = FetchResponse.parse(body).responseData().get(tp);
            Cases.equal(tp + " error", (short) 0, got.errorCode);
            List<LogEntry> out = new ArrayList<>();
            for (LogEntry entry : MemoryRecords.readableRecords(got.recordSet)) {
                // A compressed batch comes whole, whatever offset was asked for.
                if (entry.offset() >= offset) {
                    out.add(entry);
                }
            }
            if (out.isEmpty()) {
                throw new Cases.Failed(tp + ": nothing came from offset " + offset + " on");
            }
            return out;
        }

        /** Where the log ends (−1) or begins (−2). */
        long offset(TopicPartition tp, long time) throws IOException {
            var wanted = Map.of(tp, new ListOffsetRequest.PartitionData(time, 1));
            var body = ask(ApiKeys.LIST_OFFSETS, new ListOffsetRequest(wanted).toStruct());
            var got = ListOffsetResponse.parse(body).responseData().get(tp);
            Cases.equal(tp + " error", (short) 0, got.errorCode);
            return got.offsets.get(0);
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    static void round(String bootstrap, Asking asking, String codec) throws Exception {
        String topic = Cases.topic(codec);
        // One request in flight: a batch that is sent again may be overtaken by the next.
        var sent = produce(topic, Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "acks", "all",
                "max.in.flight.requests.per.connection", 1));
        var reading = new Cases.Reading(topic, sent);
        for (var partition : sent.entrySet()) {
            var tp = new TopicPartition(topic, partition.getKey());
            TreeMap<Long, Cases.Entry> entries = partition.getValue();
            long end = asking.offset(tp, -1);
            Cases.equal(tp + " end", (long) entries.size(), end);
            Cases.equal(tp + " start", 0L, asking.offset(tp, -2));
            for (long next = 0; next < end; ) {
                for (LogEntry e : asking.fetch(tp, next)) {
                    reading.take(tp.partition(), e.offset(), entry(e));
                    next = e.offset() + 1;
                }
            }
            long middle = end / 2;
            LogEntry first = asking.fetch(tp, middle).get(0);
            Cases.equal(tp + " from the middle", middle, first.offset());
            Cases.same(tp + " from the middle", entries.get(middle), entry(first));
        }
        reading.end();
    }

    public static void main(String[] arguments) throws Exception {
        Cases.main(arguments, () -> {
            try (var asking = new Asking(arguments[0])) {
                for (String codec : List.of("none", "gzip", "snappy", "lz4")) {
                    round(arguments[0], asking, codec);
                }
            }
        });
    }
}
