//! Commands about groups: their members, and what tools see of them. Ids of members are drawn by chance: a script calls them
//! `m1`, `m2`… in the order in which answers show them, from each start of the broker on anew.

use ottla_protocol::delete_groups::DeleteGroupsRequest;
use ottla_protocol::describe_groups::{DescribeGroupsRequest, DescribedGroupMember};
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use ottla_protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
use ottla_protocol::list_groups::ListGroupsRequest;
use ottla_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse};
use ottla_testkit::Command;

use super::session::{Session, error, joined};
use crate::support::PATIENCE;

/// How long the random end of a member's id is: a UUID as Java prints it.
const RANDOM: usize = 36;

/// The ids of a script's members, by their numbers from 1 on.
#[derive(Default)]
pub(crate) struct Members(Vec<String>);

impl Members {
    /// The id that a script writes as `m1`, or as it is.
    pub(super) fn id(&self, word: &str) -> String {
        let number = word.strip_prefix('m').and_then(|number| number.parse::<usize>().ok());
        number.map_or_else(|| word.replace("''", ""), |number| self.0[number - 1].clone())
    }

    /// What a script calls an id; the name before its random end has to be one of `names`.
    fn name(&mut self, id: &str, names: &[&str]) -> String {
        let end = id.len().checked_sub(RANDOM).filter(|end| id.is_char_boundary(*end));
        let hyphens = |end: &str| end.match_indices('-').map(|(at, _)| at).eq([8, 13, 18, 23]);
        let Some((before, _)) = end.map(|end| id.split_at(end)).filter(|(_, end)| hyphens(end)) else {
            return if id.is_empty() { "-".to_owned() } else { id.to_owned() };
        };
        let before = before.strip_suffix('-').expect("a hyphen before the random end");
        assert!(names.contains(&before), "{id} begins with none of {names:?}");
        let place = self.0.iter().position(|known| known == id).unwrap_or_else(|| {
            self.0.push(id.to_owned());
            self.0.len() - 1
        });
        format!("m{}", place + 1)
    }
}

/// The beginning of a member's id is its instance, or what the tests' client calls itself.
fn name(session: &mut Session, id: &str, instance: Option<&str>) -> String {
    session.members.name(id, &[instance.unwrap_or("test"), "test"])
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `NAME:BYTES,…`
fn pairs<'a>(command: &Command<'a>, key: &str) -> Vec<(&'a str, &'a str)> {
    let words = command.argument(key).unwrap_or_default().split(',').filter(|word| !word.is_empty());
    words.map(|word| word.split_once(':').unwrap_or((word, ""))).collect()
}

fn owned(command: &Command<'_>, key: &str) -> Option<String> {
    command.argument(key).map(|value| value.replace("''", ""))
}

pub(super) fn join(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 9);
    let protocol = |(name, metadata): (&str, &str)| JoinGroupRequestProtocol {
        name: name.to_owned(),
        metadata: metadata.to_owned().into_bytes().into(),
    };
    let request = JoinGroupRequest {
        group_id: command.words[0].replace("''", ""),
        session_timeout_ms: command.parsed("session", 30_000),
        rebalance_timeout_ms: command.parsed("rebalance", 30_000),
        member_id: session.members.id(command.argument("member").unwrap_or_default()),
        group_instance_id: owned(command, "instance"),
        protocol_type: owned(command, "type").unwrap_or_else(|| "consumer".to_owned()),
        protocols: pairs(command, "protocols").into_iter().map(protocol).collect(),
        ..JoinGroupRequest::default()
    };
    if command.has("later") {
        session.client().send(version, &request);
        return String::new();
    }
    session.ask(version, &request, joined_line)
}

/// The answer to a `join-group … later`.
pub(super) fn joined_now(session: &mut Session, command: &Command<'_>) -> String {
    match session.client().receive::<JoinGroupRequest>(command.parsed("v", 9)) {
        Some(answer) => joined_line(session, answer),
        None => session.closed(),
    }
}

fn joined_line(session: &mut Session, answer: JoinGroupResponse) -> String {
    let error = error(answer.error_code, None);
    // The first member's own instance is not in its answer before it leads.
    let own = answer.members.iter().find(|member| member.member_id == answer.member_id);
    let instance = own.and_then(|own| own.group_instance_id.clone());
    let known: Vec<_> =
        answer.members.iter().map(|member| (member.member_id.clone(), member.group_instance_id.clone())).collect();
    let first = own.is_none().then(|| answer.member_id.split('-').next().unwrap_or_default().to_owned());
    let member = name(session, &answer.member_id, instance.as_deref().or(first.as_deref()));
    if answer.error_code != 0 {
        return format!("{error} member={member}");
    }
    let members: Vec<_> = known
        .iter()
        .zip(&answer.members)
        .map(|((id, instance), member)| {
            let name = name(session, id, instance.as_deref());
            let instance = instance.as_ref().map_or(String::new(), |instance| format!("({instance})"));
            format!("{name}{instance}:{}", text(&member.metadata))
        })
        .collect();
    let mut members = members;
    // Kafka's order is its hash map's.
    members.sort();
    let leader = if answer.leader == answer.member_id {
        member.clone()
    } else {
        let before = answer.leader.split('-').next().unwrap_or_default().to_owned();
        name(session, &answer.leader, Some(&before))
    };
    let skip = if answer.skip_assignment { " assigned-before" } else { "" };
    let chosen = answer.protocol_name.as_deref().unwrap_or("null");
    let kind = answer.protocol_type.as_deref().map_or(String::new(), |kind| format!("{kind}/"));
    let members = if members.is_empty() { String::new() } else { format!(" of {}", members.join(" ")) };
    format!("{error} member={member} generation={} {kind}{chosen} leader={leader}{skip}{members}", answer.generation_id)
}

pub(super) fn sync(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 5);
    let assignment = |(member, bytes): (&str, &str)| SyncGroupRequestAssignment {
        member_id: session.members.id(member),
        assignment: bytes.to_owned().into_bytes().into(),
    };
    let request = SyncGroupRequest {
        group_id: command.words[0].replace("''", ""),
        generation_id: command.parsed("generation", 1),
        member_id: session.members.id(command.argument("member").unwrap_or_default()),
        group_instance_id: owned(command, "instance"),
        protocol_type: owned(command, "type").or_else(|| Some("consumer".to_owned())),
        protocol_name: owned(command, "protocol").or_else(|| Some("range".to_owned())),
        assignments: pairs(command, "assign").into_iter().map(assignment).collect(),
    };
    if command.has("later") {
        session.client().send(version, &request);
        return String::new();
    }
    session.ask(version, &request, |_, answer| synced_line(&answer))
}

/// The answer to a `sync-group … later`.
pub(super) fn synced_now(session: &mut Session, command: &Command<'_>) -> String {
    match session.client().receive::<SyncGroupRequest>(command.parsed("v", 5)) {
        Some(answer) => synced_line(&answer),
        None => session.closed(),
    }
}

fn synced_line(answer: &SyncGroupResponse) -> String {
    let protocol = answer.protocol_name.as_ref().map_or(String::new(), |name| format!(" {name}"));
    format!("{}{protocol} \"{}\"", error(answer.error_code, None), text(&answer.assignment))
}

/// With `until=` it is sent until it is answered so.
pub(super) fn heartbeat(session: &mut Session, command: &Command<'_>) -> String {
    let request = HeartbeatRequest {
        group_id: command.words[0].replace("''", ""),
        generation_id: command.parsed("generation", 1),
        member_id: session.members.id(command.argument("member").unwrap_or_default()),
        group_instance_id: owned(command, "instance"),
    };
    let patience = std::time::Instant::now() + PATIENCE;
    loop {
        let told = session.ask(command.parsed("v", 4), &request, |_, answer| error(answer.error_code, None));
        if command.argument("until").is_none_or(|wanted| wanted == told) {
            return told;
        }
        assert!(std::time::Instant::now() < patience, "a heartbeat is still answered with {told}");
    }
}

/// A member is named by its id, by `(instance)`, or by both.
pub(super) fn leave(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 5);
    let mut request = LeaveGroupRequest { group_id: command.words[0].replace("''", ""), ..<_>::default() };
    for word in &command.words[1..] {
        let (member, instance) = word.strip_suffix(')').and_then(|word| word.split_once('(')).unwrap_or((word, ""));
        let member_id = session.members.id(member);
        if version < 3 {
            request.member_id = member_id;
        } else {
            let group_instance_id = Some(instance.to_owned()).filter(|instance| !instance.is_empty());
            request.members.push(MemberIdentity { member_id, group_instance_id, reason: None });
        }
    }
    session.ask(version, &request, |session, answer| {
        let mut lines = vec![error(answer.error_code, None)];
        for member in answer.members {
            let instance = member.group_instance_id;
            let told = name(session, &member.member_id, instance.as_deref());
            let instance = instance.map_or(String::new(), |instance| format!("({instance})"));
            lines.push(format!("  {told}{instance} {}", error(member.error_code, None)));
        }
        joined(lines)
    })
}

pub(super) fn list(session: &mut Session, command: &Command<'_>) -> String {
    let words = |key| command.argument(key).unwrap_or_default().split(',').filter(|word| !word.is_empty());
    let request = ListGroupsRequest {
        states_filter: words("states").map(str::to_owned).collect(),
        types_filter: words("types").map(str::to_owned).collect(),
    };
    session.ask(command.parsed("v", 5), &request, |_, answer| {
        let mut lines: Vec<_> = answer
            .groups
            .iter()
            .map(|group| {
                let kind = if group.protocol_type.is_empty() { "-" } else { &group.protocol_type };
                format!("  {} {kind} {} {}", group.group_id, group.group_state, group.group_type).trim_end().to_owned()
            })
            .collect();
        // Kafka's order is its hash map's.
        lines.sort();
        lines.insert(0, error(answer.error_code, None));
        joined(lines)
    })
}

pub(super) fn describe(session: &mut Session, command: &Command<'_>) -> String {
    let groups = command.words.iter().filter(|word| **word != "operations").map(|word| word.replace("''", ""));
    let request =
        DescribeGroupsRequest { groups: groups.collect(), include_authorized_operations: command.has("operations") };
    session.ask(command.parsed("v", 6), &request, |session, answer| {
        let mut lines = Vec::new();
        for group in answer.groups {
            let told = error(group.error_code, group.error_message.as_deref());
            let operations = match group.authorized_operations {
                i32::MIN => String::new(),
                operations => format!(" operations={operations:#x}"),
            };
            let chosen = format!("{}/{}", group.protocol_type, group.protocol_data);
            lines.push(format!("{} {told} {} {chosen}{operations}", group.group_id, group.group_state));
            let mut members: Vec<_> = group.members.iter().map(|member| described(session, member)).collect();
            members.sort();
            lines.extend(members);
        }
        joined(lines)
    })
}

fn described(session: &mut Session, member: &DescribedGroupMember) -> String {
    let instance = member.group_instance_id.as_deref();
    let told = name(session, &member.member_id, instance);
    let instance = instance.map_or(String::new(), |instance| format!("({instance})"));
    let (metadata, assignment) = (text(&member.member_metadata), text(&member.member_assignment));
    format!("  {told}{instance} {}{} {metadata}={assignment}", member.client_id, member.client_host)
}

pub(super) fn delete(session: &mut Session, command: &Command<'_>) -> String {
    let request =
        DeleteGroupsRequest { groups_names: command.words.iter().map(|word| word.replace("''", "")).collect() };
    session.ask(command.parsed("v", 2), &request, |_, answer| {
        let told = |group: &ottla_protocol::delete_groups::DeletableGroupResult| {
            format!("{} {}", group.group_id, error(group.error_code, None))
        };
        let mut lines: Vec<_> = answer.results.iter().map(told).collect();
        // Kafka's order is its hash map's.
        lines.sort();
        joined(lines)
    })
}
