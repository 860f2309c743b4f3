// Prints the fields of every version of the messages named in the arguments (all, if none is named), as the Kafka
// release on the class path knows them. README.md beside this file explains the output.
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.types.*;
import java.util.*;

public class PrintSchemas {
    static void type(StringBuilder out, String indent, String name, Type t) {
        String opt = t.isNullable() ? "?" : "";
        if (t instanceof Schema) {
            out.append(indent).append(name).append(" struct").append(opt).append('\n');
            fields(out, indent + "  ", (Schema) t);
        } else if (t.isArray()) {
            Type e = t.arrayElementType().get();
            String compact = t instanceof CompactArrayOf ? "compact_" : "";
            if (e instanceof Schema) {
                out.append(indent).append(name).append(" ").append(compact).append("array").append(opt).append('\n');
                fields(out, indent + "  ", (Schema) e);
            } else {
                out.append(indent).append(name).append(" ").append(compact).append("array").append(opt).append(" of ").append(word(e)).append('\n');
            }
        } else out.append(indent).append(name).append(" ").append(word(t)).append('\n');
    }
    // Older releases have a records type that may be null but is not named so.
    static String word(Type t) {
        String word = t.toString().toLowerCase(Locale.ROOT);
        return t.isNullable() ? word.replaceFirst("^(compact_)?records$", "$1nullable_records") : word;
    }
    static void fields(StringBuilder out, String indent, Schema s) {
        for (BoundField f : s.fields()) {
            if (f.def.type instanceof TaggedFields) {
                out.append(indent).append("tags\n");
                for (Map.Entry<Integer, Field> e : tags(f.def.type).entrySet())
                    type(out, indent + "  ", e.getKey() + " " + e.getValue().name, e.getValue().type);
            } else type(out, indent, f.def.name, f.def.type);
        }
    }
    @SuppressWarnings("unchecked")
    static Map<Integer, Field> tags(Type t) {
        try {
            java.lang.reflect.Field f = TaggedFields.class.getDeclaredField("fields");
            f.setAccessible(true);
            return new TreeMap<>((Map<Integer, Field>) f.get(t));
        } catch (ReflectiveOperationException e) { throw new RuntimeException(e); }
    }
    static void print(String what, Schema[] schemas) {
        String last = null; int from = 0;
        for (int v = 0; v <= schemas.length; v++) {
            String now = null;
            if (v < schemas.length && schemas[v] != null) { StringBuilder b = new StringBuilder(); fields(b, "  ", schemas[v]); now = b.toString(); }
            if (last != null && !last.equals(now)) {
                System.out.println(what + " " + from + "-" + (v - 1));
                System.out.print(last);
            }
            if (now != null && !now.equals(last)) from = v;
            last = now;
        }
    }
    public static void main(String[] args) {
        Set<String> wanted = new HashSet<>(Arrays.asList(args));
        for (ApiKeys k : ApiKeys.values()) {
            if (!wanted.isEmpty() && !wanted.contains(k.messageType.name)) continue;
            print(k.messageType.name + " request", k.messageType.requestSchemas());
            print(k.messageType.name + " response", k.messageType.responseSchemas());
        }
    }
}
