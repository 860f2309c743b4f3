//! Commands about groups of the consumer protocol (KIP-848): heartbeats of their members, and what tools see of them.

use ottla_protocol::consumer_group_describe::{Assignment as Described, ConsumerGroupDescribeRequest, Member};
use ottla_protocol::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use ottla_testkit::Command;

use super::session::{Session, error, joined};
use crate::support::PATIENCE;

/// A text, of which `''` is the empty one.
fn text(command: &Command<'_>, key: &str) -> Option<String> {
    command.argument(key).map(|text| text.replace("''", ""))
}

/// Who joins says what it has to say, unless the command says `?` for it. With `until=` it is sent until the answer ends so.
pub(super) fn heartbeat(session: &mut Session, command: &Command<'_>) -> String {
    let epoch = command.parsed("epoch", 0);
    let joins = epoch == 0;
    let names = |text: &str| text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let topics = command.argument("topics").or((joins && command.argument("regex").is_none()).then_some(""));
    let owned = command.argument("owns").or(joins.then_some("-")).filter(|owned| *owned != "?");
    let topic = |topic: &str| {
        let (name, partitions) = topic.split_once('/').expect("TOPIC/PARTITION,…");
        let partitions = partitions.split(',').map(|index| index.parse().expect("a number")).collect();
        TopicPartitions { topic_id: session.topic(&format!("<{name}>")).1, partitions }
    };
    let owned = owned.map(|owned| owned.split('+').filter(|topic| *topic != "-").map(topic).collect());
    let request = ConsumerGroupHeartbeatRequest {
        group_id: command.words[0].replace("''", ""),
        member_id: session.members.id(command.argument("member").unwrap_or_default()),
        member_epoch: epoch,
        instance_id: text(command, "instance"),
        rack_id: text(command, "rack"),
        rebalance_timeout_ms: command.parsed("timeout", if joins { 60_000 } else { -1 }),
        subscribed_topic_names: topics.filter(|topics| *topics != "?").map(names),
        subscribed_topic_regex: text(command, "regex"),
        server_assignor: text(command, "assignor"),
        topic_partitions: owned,
    };
    let patience = std::time::Instant::now() + PATIENCE;
    loop {
        let told = beat(session, command.parsed("v", 1), &request);
        if command.argument("until").is_none_or(|end| told.ends_with(end)) {
            return told;
        }
        assert!(std::time::Instant::now() < patience, "a heartbeat is still answered with {told}");
    }
}

fn beat(session: &mut Session, version: i16, request: &ConsumerGroupHeartbeatRequest) -> String {
    session.ask(version, request, |session, answer| {
        let told = error(answer.error_code, answer.error_message.as_deref());
        if answer.error_code != 0 {
            return told;
        }
        // One that the broker made is another one each time.
        let member =
            if request.member_id.is_empty() { "(new)".to_owned() } else { answer.member_id.unwrap_or_default() };
        let assignment = answer.assignment.map(|assignment| {
            let topics = assignment.topic_partitions.into_iter();
            let topics = topics.map(|topic| (session.printed("", topic.topic_id), topic.partitions));
            format!(" has [{}]", partitions(topics))
        });
        let assignment = assignment.unwrap_or_default();
        format!("{told} {member} epoch={} interval={}{assignment}", answer.member_epoch, answer.heartbeat_interval_ms)
    })
}

pub(super) fn describe(session: &mut Session, command: &Command<'_>) -> String {
    let groups = command.words.iter().filter(|word| **word != "operations").map(|word| word.replace("''", ""));
    let request = ConsumerGroupDescribeRequest {
        group_ids: groups.collect(),
        include_authorized_operations: command.has("operations"),
    };
    session.ask(command.parsed("v", 1), &request, |_, answer| {
        let mut lines = Vec::new();
        for group in answer.groups {
            let operations = match group.authorized_operations {
                i32::MIN => String::new(),
                operations => format!(" operations={operations:#x}"),
            };
            let told = error(group.error_code, group.error_message.as_deref());
            lines.push(format!(
                "{} {told} {} epoch={} target={} {}{operations}",
                group.group_id, group.group_state, group.group_epoch, group.assignment_epoch, group.assignor_name
            ));
            let mut members: Vec<_> = group.members.iter().map(member).collect();
            members.sort();
            lines.extend(members);
        }
        joined(lines)
    })
}

fn member(member: &Member) -> String {
    let optional = |name: &str, text: &Option<String>| match text.as_deref() {
        None | Some("") => String::new(),
        Some(text) => format!(" {name}={text}"),
    };
    let mut topics = member.subscribed_topic_names.clone();
    topics.sort();
    let named = |assignment: &Described| {
        let topics = assignment.topic_partitions.iter();
        partitions(topics.map(|topic| (topic.topic_name.clone(), topic.partitions.clone())))
    };
    format!(
        "  {} epoch={}{}{} {}{} reads [{}]{} has [{}] of [{}] type={}",
        member.member_id,
        member.member_epoch,
        optional("instance", &member.instance_id),
        optional("rack", &member.rack_id),
        member.client_id,
        member.client_host,
        topics.join(","),
        optional("regex", &member.subscribed_topic_regex),
        named(&member.assignment),
        named(&member.target_assignment),
        member.member_type
    )
}

/// Kafka's order is its hash map's.
fn partitions(topics: impl Iterator<Item = (String, Vec<i32>)>) -> String {
    let mut topics: Vec<_> = topics
        .map(|(name, mut partitions)| {
            partitions.sort_unstable();
            let partitions: Vec<_> = partitions.iter().map(ToString::to_string).collect();
            format!("{name}/{}", partitions.join(","))
        })
        .collect();
    topics.sort();
    topics.join(" ")
}
