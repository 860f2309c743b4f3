// Writes what Kafka's assignors decide for random groups; README.md says how it is run.

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberValue;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

public class WriteVectors {
    static final Random random = new Random(848);

    // Topics are numbers, their places in this list, which is in the order of the ids' bytes.
    static List<Uuid> topics = new ArrayList<>();
    static List<Integer> counts = new ArrayList<>();
    static Map<String, Member> members = new TreeMap<>();

    static class Member {
        String instance;
        Set<Integer> topics = new TreeSet<>();
        Map<Integer, Set<Integer>> has = new TreeMap<>();
    }

    public static void main(String[] args) {
        for (int life = 0; life < 60; life++) {
            boolean same = life % 2 == 0;
            ConsumerGroupPartitionAssignor assignor = life % 6 >= 4 ? new RangeAssignor() : new UniformAssignor();
            begin(life);
            for (int step = 0; step < 7; step++) {
                change(same);
                write(assignor, same);
            }
        }
    }

    static void begin(int life) {
        int n = life % 10 == 9 ? 30 : 1 + random.nextInt(8);
        int most = life % 10 == 8 ? 200 : 24;
        topics = new ArrayList<>();
        counts = new ArrayList<>();
        members = new TreeMap<>();
        for (int i = 0; i < n; i++) {
            topics.add(new Uuid(random.nextLong(), random.nextLong()));
            counts.add(1 + random.nextInt(most));
        }
        topics.sort((a, b) -> a.getMostSignificantBits() == b.getMostSignificantBits()
            ? Long.compareUnsigned(a.getLeastSignificantBits(), b.getLeastSignificantBits())
            : Long.compareUnsigned(a.getMostSignificantBits(), b.getMostSignificantBits()));
    }

    static Set<Integer> some() {
        Set<Integer> some = new TreeSet<>();
        for (int i = 0; i < topics.size(); i++) if (random.nextInt(3) > 0) some.add(i);
        return some;
    }

    // Members come and go, subscribe to something else; topics get more partitions.
    static void change(boolean same) {
        for (int i = random.nextInt(members.isEmpty() ? 12 : 4); i >= 0; i--) {
            Member member = new Member();
            if (random.nextInt(4) == 0) member.instance = "instance-" + random.nextInt(1000);
            member.topics = some();
            members.put(new Uuid(random.nextLong(), random.nextLong()).toString(), member);
        }
        for (int i = random.nextInt(5); i > 0 && members.size() > 1; i--) {
            List<String> ids = new ArrayList<>(members.keySet());
            members.remove(ids.get(random.nextInt(ids.size())));
        }
        if (random.nextInt(3) == 0) {
            int topic = random.nextInt(topics.size());
            counts.set(topic, counts.get(topic) + 1 + random.nextInt(5));
        }
        Set<Integer> all = random.nextInt(3) == 0 ? some() : members.values().iterator().next().topics;
        for (Member member : members.values()) {
            if (same) member.topics = all;
            else if (random.nextInt(6) == 0) member.topics = some();
        }
    }

    static void write(ConsumerGroupPartitionAssignor assignor, boolean same) {
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        members.forEach((id, member) -> {
            List<Uuid> subscribed = member.topics.stream().map(topics::get).toList();
            specs.put(id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.ofNullable(member.instance),
                new ListedSet(subscribed), assignment(member.has)));
            member.has.forEach((topic, partitions) -> partitions.forEach(partition ->
                owners.computeIfAbsent(topics.get(topic), __ -> new HashMap<>()).put(partition, id)));
        });
        GroupAssignment result = assignor.assign(
            new GroupSpecImpl(Collections.unmodifiableMap(specs),
                same ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, owners),
            new SubscribedTopicDescriber() {
                public int numPartitions(Uuid topic) { return counts.get(topics.indexOf(topic)); }
                public Set<String> racksForPartition(Uuid topic, int partition) { return Set.of(); }
            });
        System.out.println(assignor.name() + (same ? " same" : " different"));
        for (int i = 0; i < topics.size(); i++) System.out.println("topic " + topics.get(i) + " " + counts.get(i));
        members.forEach((id, member) -> {
            MemberAssignment target = result.members().get(id);
            Map<Integer, Set<Integer>> gets = new TreeMap<>();
            if (target != null) target.partitions().forEach((topic, partitions) ->
                gets.put(topics.indexOf(topic), new TreeSet<>(partitions)));
            System.out.println("member " + id + (member.instance == null ? " -" : " " + member.instance)
                + " " + text(member.topics) + " " + text(member.has) + " " + text(gets));
            member.has = gets;
        });
        System.out.println();
    }

    static Assignment assignment(Map<Integer, Set<Integer>> has) {
        ConsumerGroupTargetAssignmentMemberValue value = new ConsumerGroupTargetAssignmentMemberValue();
        has.forEach((topic, partitions) -> value.topicPartitions().add(
            new ConsumerGroupTargetAssignmentMemberValue.TopicPartition()
                .setTopicId(topics.get(topic)).setPartitions(new ArrayList<>(partitions))));
        return Assignment.fromRecord(value);
    }

    static String text(Map<Integer, Set<Integer>> map) {
        StringBuilder text = new StringBuilder();
        map.forEach((topic, partitions) ->
            text.append(text.length() == 0 ? "" : ";").append(topic).append(":").append(text(partitions)));
        return text.length() == 0 ? "-" : text.toString();
    }

    // Numbers, and rows of them as FIRST..LAST.
    static String text(Set<Integer> numbers) {
        StringBuilder text = new StringBuilder();
        for (int number : numbers) {
            if (numbers.contains(number - 1)) continue;
            int last = number;
            while (numbers.contains(last + 1)) last++;
            text.append(text.length() == 0 ? "" : ",").append(number);
            if (last > number) text.append("..").append(last);
        }
        return text.length() == 0 ? "-" : text.toString();
    }

    // A set that gives its elements in the order of the list that it was made of.
    static class ListedSet extends java.util.LinkedHashSet<Uuid> {
        ListedSet(List<Uuid> list) { super(list); }
    }
}
