// What every Java client sends and expects back: the records, the comparison, the verdict.
//
// Not a client, and without any of Kafka's classes, so that it goes with every release of them: those are Interop (3.1 and
// newer), Interop011 (0.11 to 2.x) and Interop010 (0.10.0).

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;

class Cases {
    static final int PARTITIONS = 3;
    /** How long any single wait may take before it counts as a failure. */
    static final long LIMIT_MS = 60_000;
    static int checks;

    /** A difference between what was sent and what came back. */
    static class Failed extends RuntimeException {
        Failed(String message) {
            super(message);
        }
    }

    /** A header; a value of null is not an empty one. */
    record Tag(String key, byte[] value) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Tag tag && key.equals(tag.key) && Arrays.equals(value, tag.value);
        }

        @Override
        public int hashCode() {
            return key.hashCode();
        }

        @Override
        public String toString() {
            return key + "=" + brief(value);
        }
    }

    /** One record; null and empty are different. */
    record Entry(byte[] key, byte[] value, List<Tag> headers, long timestamp) {
        boolean same(Entry other) {
            return other != null && Arrays.equals(key, other.key) && Arrays.equals(value, other.value)
                    && headers.equals(other.headers) && timestamp == other.timestamp;
        }

        @Override
        public String toString() {
            return "key " + brief(key) + " value " + brief(value) + " headers " + headers + " timestamp " + timestamp;
        }
    }

    static String brief(byte[] field) {
        if (field == null) {
            return "null";
        }
        return field.length > 40 ? field.length + " bytes" : "'" + new String(field, StandardCharsets.UTF_8) + "'";
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One record of every kind, then enough small ones to fill several batches. */
    static List<Entry> records(boolean withHeaders) {
        long base = System.currentTimeMillis() - 3_600_000;
        byte[] noise = new byte[900_000];
        new Random(base).nextBytes(noise);
        List<Tag> headers = List.of(new Tag("twice", bytes("1")), new Tag("twice", bytes("2")),
                new Tag("empty", new byte[0]), new Tag("ünicode", bytes("世")), new Tag("null", null));
        List<Entry> out = new ArrayList<>();
        out.add(new Entry(bytes("key"), bytes("value"), List.of(), base));
        out.add(new Entry(null, bytes("no key"), List.of(), base + 1));
        out.add(new Entry(bytes("no value"), null, List.of(), base + 2));
        out.add(new Entry(null, null, List.of(), base + 3));
        out.add(new Entry(new byte[0], new byte[0], List.of(), base + 4));
        out.add(new Entry(bytes("headers"), bytes("value"), headers, base + 5));
        out.add(new Entry(bytes("large"), noise, List.of(new Tag("size", bytes("900000"))), base + 6));
        for (int i = 0; i < 1000; i++) {
            List<Tag> header = List.of(new Tag("i", bytes("" + i)));
            byte[] value = bytes(("value-" + i + " ").repeat(i % 50));
            out.add(new Entry(bytes("key-" + i % 17), value, header, base + 7 + i));
        }
        if (!withHeaders) {
            out.replaceAll(entry -> new Entry(entry.key, entry.value, List.of(), entry.timestamp));
        }
        return out;
    }

    static void equal(String what, Object expected, Object got) {
        checks++;
        if (!Objects.equals(expected, got)) {
            throw new Failed(what + ": expected " + expected + ", got " + got);
        }
    }

    static void same(String what, Entry expected, Entry got) {
        checks++;
        if (expected == null || !expected.same(got)) {
            throw new Failed(what + ": expected " + expected + ", got " + got);
        }
    }

    /** Compares what was read, in the order in which it came, with what was acknowledged and with the order of sending. */
    static class Reading {
        final String topic;
        final Map<Integer, TreeMap<Long, Entry>> sent;
        final long[] next = new long[PARTITIONS];
        final long[] time = new long[PARTITIONS];

        Reading(String topic, Map<Integer, TreeMap<Long, Entry>> sent) {
            this.topic = topic;
            this.sent = sent;
        }

        /** How many records there are to read. */
        int count() {
            return sent.values().stream().mapToInt(Map::size).sum();
        }

        void take(int partition, long offset, Entry entry) {
            String where = topic + " partition " + partition + " offset " + next[partition];
            equal(where, next[partition]++, offset);
            same(where, sent.get(partition).get(offset), entry);
            equal(where + " in the order of sending", true, time[partition] < entry.timestamp());
            time[partition] = entry.timestamp();
        }

        void end() {
            for (int p = 0; p < PARTITIONS; p++) {
                long expected = sent.getOrDefault(p, new TreeMap<>()).size();
                equal(topic + " partition " + p + " number of records", expected, next[p]);
            }
        }
    }

    /** A name that no earlier run used. */
    static String topic(String what) {
        return String.format("interop-%s-%s-%08x", name(), what, new Random().nextInt());
    }

    /** What the client is called in the verdict. */
    static String name() {
        return System.getProperty("interop.name", "java");
    }

    interface Step {
        void run() throws Exception;
    }

    /** Runs everything and says how it ended, in words and in the exit code. */
    static void main(String[] arguments, Step all) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: java -Dinterop.name=NAME CLASS HOST:PORT");
            System.exit(2);
        }
        try {
            all.run();
        } catch (Failed difference) {
            System.out.println("FAILED " + name() + ": " + difference.getMessage());
            System.exit(1);
        }
        System.out.println("ok " + name() + " " + checks + " checks");
    }
}
