// Writes which regular expressions Kafka accepts and which topics they match; README.md says how it is run.

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.List;
import java.util.Random;

public class WriteVectors {
    static final Random random = new Random(848);

    static final List<String> TOPICS = List.of("a", "b", "A", "k", "K", "s", "S", "0", "7", "_", "-", "ab", "aB", "ba",
        "abc", "aaa", "a.b", "a-b", "a_b", "a1", "10", "orders", "Orders", "orders-1", "orders.eu.2", "__consumer_offsets",
        "aaaaaaaaaa", "x-y_z.9", "bbb", "kk");

    static final List<String> CHOSEN = List.of("", ".*", "orders.*", "^orders$", "orders", "(?i)ORDERS", "orders(-\\d+)?",
        "a|", "|a", "|", "()", "(|a)b", "a||b", "(a", "a)", ")", "(", "[", "[a", "[]", "[]a]", "[^]a]", "[^]", "[a-]", "[-a]", "[a-b-c]",
        "[b-a]", "[a[b]c]", "[a&&b]", "[a--b]", "[a~~b]", "[[:alpha:]]+", "[[:^alpha:]]", "[[:foo:]]", "[[:alpha:]", "[:alpha:]+",
        "[[:ALPHA:]]", "[[:word:]]+", "[[:alpha:]-]+", "\\", "a\\", "\\Q", "\\Qa.b\\E", "\\Qa\\E*", "\\Qab\\E+", "\\E", "a\\E", "\\Qa", "[\\Qa]", "\\A\\Qa.b\\E\\z",
        "\\Z", "\\G", "\\C", "\\pN", "\\pN+", "\\p{Lu}", "\\p{^Lu}+", "\\P{Lu}+", "\\P{^Lu}", "\\p{Latin}+", "\\p{latin}", "\\p{Greek}",
        "\\p{Letter}", "\\p{Any}+", "\\p{L", "\\p", "\\pX", "[\\p{Nd}a]+", "(?i)\\p{Lu}+", "(?i)\\P{Lu}+", "(?i)[^\\p{Lu}]+", "\\p{}", "\\p{Cn}", "\\pé",
        "a**", "a*?", "a*??", "a+?", "a?*", "a{2}{3}", "a{2}*", "(a*)*", "a{0}", "a{,5}", "a{", "a{1", "a{1,", "a{1,x}", "a{1}", "a{01}", "a{1,02}", "a{2,1}", "a{1000}",
        "a{1001}", "a{1,1001}", "a{1001,}", "a{999999999999}", "(a{100}){10}", "(a{100}){11}", "(a{100}){0}", "((a{100}){0}){11}", "(a{100}){1}", "((a{1000}){1}){2}", "(a{500})*", "((a{500})*){3}", "(a{1001}){0}",
        "((a{100})*){11}", "((a{100}){0,}){11}", "(a|b{500}){3}", "*", "+", "?", "{", "{1}", "{1", "(*)", "(?i)*", "a(?i)*", "a|*", "^*", "^*a", "$*", "\\b*a", "a(|*)", "{*", "a{*", "a{+?", "a{,1}*", "x{2}{", "a*{", "a*{1}", "a{}{2}", "a*a{b",
        "(?i)k", "(?i)K", "(?i)\u212a", "(?i)\u017f", "(?i)[\u2129-\u212b]", "[\u2129-\u212b]", "(?i)[^k]", "(?i)[^\u212a]", "\u212a", "é", "[é]", "[^é]", "é*a", "[a-é]+",
        "(?i)[a-b]+", "(?i:a)b", "(?i:a)B", "(?-i:a)b", "(?i)a(?-i)b", "(?i)(a)B", "((?i)a)B", "(?i", "(?", "(?)a", "(?i)", "(?ii)a", "(?i-i)A", "(?-)a", "(?--i)a", "(?i-)a", "(?x)a", "(?R)a", "(?u)a", "(?s).", "(?U)a+", "(?m)^a$", "(?-s:.)", "(?:a)", "(?:)", "(?^a)", "(?i-s:A)",
        "(?P<n>a)", "(?<n>a)", "(?P<n>a)(?P<n>b)", "(?<n>a)(?P<n>b)", "(?P<>a)", "(?P<n", "(?P<n-m>a)", "(?P<é>a)", "(?P=n)", "(?P>n)", "(?P'n'a)", "(?'n'a)", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?#a)",
        "\\1", "(a)\\1", "\\12", "\\141", "\\0", "\\08", "\\0141", "\\777", "\\8", "\\9", "\\x61", "\\x6", "\\x", "\\xg1", "\\x{61}", "\\x{}", "\\x{110000}", "\\x{10ffff}", "\\x{0000000061}", "\\x{d800}", "\\x{61", "\\x{g}", "\\u0061", "\\U", "\\c", "\\e", "\\a", "\\f", "\\n", "\\r", "\\t", "\\v",
        "\\_", "\\-", "\\.", "a\\.b", "\\<", "\\>", "\\<a\\>", "\\b", "\\ba\\b", "a\\Bb", "a\\bb", "\\b{start}a", "\\é", "\\ ", "\\/", "\\h", "\\R", "\\X", "\\K", "\\d", "\\D", "\\w+", "\\W", "\\s", "\\S+", "[\\d]+", "[^\\d]+", "[\\w-]+", "[\\d-a]", "[a-\\d]", "[\\D\\d]", "[\\b]", "[\\A]", "[\\a]", "[\\x61-c]", "(?i)[\\W]", "(?i)\\W", "(?i)[[:lower:]]", "(?i)[[:^lower:]]", "(?i)\\d",
        "a b", "a #b", "(?x: a )", "a$b", "a^", "a^b", "^^a$$", "\\Aa", "a\\z", "\\z", "\\A", "(^a|b$)", "(a", "((a)", "(a))", "]", "}", "a}", "[a]]", "[[]", "[]]", "[^^]", "[^\\^]", "[\\]]", "[\\\\]", "[a\\-z]", "[+--]", "[--/]", "[a-b]{2}", "[.]", "a[.]b", "[.-_]", "[\\.-_]+", "(a)(b)(c)", "(?:a|b){2}", "a{2}b?", "(ab|a)(bc|c)?", ".{10}", ".{1,3}", ".{3,}");

    static final String[] PIECES = {"a", "b", "k", "S", "1", ".", "*", "+", "?", "{", "}", "{2}", "{1,2}", "{0,}", "{,2}", "(", ")", "(?:", "(?i)", "(?i:", "(?-i)", "|",
        "[", "]", "^", "$", "-", "\\", "\\Q", "\\E", "\\d", "\\W", "\\b", "\\B", "\\pL", "\\p{Lu}", "[a-c]", "[^a]", "[:alpha:]", "[[:digit:]]", "a", "b", "c", "ab", "_", ",", "{10}", "(a|b)", "&&", "\\.", "\\x61", "\\12"};

    public static void main(String[] args) {
        CHOSEN.forEach(WriteVectors::write);
        for (int i = 0; i < 4000; i++) {
            StringBuilder pattern = new StringBuilder();
            for (int n = 1 + random.nextInt(7); n > 0; n--) pattern.append(PIECES[random.nextInt(PIECES.length)]);
            write(pattern.toString());
        }
    }

    static void write(String regex) {
        try {
            Pattern pattern = Pattern.compile(regex);
            StringBuilder matched = new StringBuilder();
            for (String topic : TOPICS) if (pattern.matcher(topic).matches()) matched.append(' ').append(topic);
            System.out.println(regex + "\t=" + matched);
        } catch (PatternSyntaxException e) {
            System.out.println(regex + "\t!");
        } catch (RuntimeException e) {
            System.out.println(regex + "\t! " + e);
        }
    }
}
