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
    // Every generated class with schemas that is neither a request nor a response: what Kafka persists.
    static void records() throws Exception {
        SortedSet<String> names = new TreeSet<>();
        for (String path : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
            if (!path.endsWith(".jar") || !new java.io.File(path).getName().matches("kafka.*")) continue;
            try (java.util.jar.JarFile jar = new java.util.jar.JarFile(path)) {
                jar.stream().map(e -> e.getName()).filter(n -> n.matches("[^$]*(Key|Value|Record|Marker|Message|Schema|Subscription|Assignment|PrincipalData)[.]class"))
                    .filter(n -> n.matches(".*(generated|common/metadata|common/message)/[^/]*")).forEach(names::add);
            }
        }
        SortedMap<String, Schema[]> found = new TreeMap<>();
        for (String name : names) {
            Class<?> c = Class.forName(name.replace('/', '.').replaceFirst("[.]class$", ""));
            try { found.put(c.getSimpleName(), (Schema[]) c.getField("SCHEMAS").get(null)); } catch (NoSuchFieldException e) { }
        }
        for (Map.Entry<String, Schema[]> e : found.entrySet()) print(e.getKey() + " record", e.getValue());
        for (String name : names) defaults(Class.forName(name.replace('/', '.').replaceFirst("[.]class$", "")));
    }
    // The number of a record's kind, and what a tagged field is when it is not there, in the structs inside it too.
    static void defaults(Class<?> c) throws Exception {
        Schema[] schemas;
        try { schemas = (Schema[]) c.getField("SCHEMAS").get(null); } catch (NoSuchFieldException e) { return; }
        Object it = c.getConstructor().newInstance();
        StringBuilder out = new StringBuilder();
        short type = it instanceof org.apache.kafka.common.protocol.ApiMessage ? ((org.apache.kafka.common.protocol.ApiMessage) it).apiKey() : -1;
        if (type >= 0) out.append("  type ").append(type).append('\n');
        for (BoundField f : schemas[schemas.length - 1].fields()) {
            if (!(f.def.type instanceof TaggedFields)) continue;
            for (Field tag : tags(f.def.type).values()) {
                String[] words = tag.name.split("_");
                StringBuilder getter = new StringBuilder(words[0]);
                for (int i = 1; i < words.length; i++) getter.append(Character.toUpperCase(words[i].charAt(0))).append(words[i].substring(1));
                out.append("  ").append(tag.name).append(' ').append(c.getMethod(getter.toString()).invoke(it)).append('\n');
            }
        }
        if (out.length() > 0) System.out.print(c.getName().replaceFirst(".*[.]", "").replace('$', '.') + " defaults 0-0\n" + out);
        for (Class<?> inner : c.getClasses()) defaults(inner);
    }
    public static void main(String[] args) throws Exception {
        if (args.length == 1 && args[0].equals("--records")) { records(); return; }
        Set<String> wanted = new HashSet<>(Arrays.asList(args));
        for (ApiKeys k : ApiKeys.values()) {
            if (!wanted.isEmpty() && !wanted.contains(k.messageType.name)) continue;
            print(k.messageType.name + " request", k.messageType.requestSchemas());
            print(k.messageType.name + " response", k.messageType.responseSchemas());
        }
    }
}
