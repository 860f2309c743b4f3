// What a client of 0.10.0 leaves in a broker that keeps the formats of today: message sets of magic 1, which the broker makes
// batches of. A part of `cargo xtask moving`, before Moving tells what is there; sending is Interop010's.

import java.util.Map;

public class Moving010 {
    public static void main(String[] arguments) throws Exception {
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4"}) {
            Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "compression.type", codec, "acks",
                    "all", "max.request.size", 2_000_000, "max.block.ms", Cases.LIMIT_MS);
            Interop010.produce("old-" + codec, settings);
        }
    }
}
