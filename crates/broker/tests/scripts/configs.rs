//! Commands about configuration. Resources are written `topic:NAME`, `broker:ID`, `logger:ID`, `client-metrics:NAME`,
//! `group:NAME`, or by another type's number.

use ottla_protocol::alter_configs::{self, AlterConfigsRequest};
use ottla_protocol::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
};
use ottla_protocol::incremental_alter_configs::{self, IncrementalAlterConfigsRequest};
use ottla_protocol::list_config_resources::ListConfigResourcesRequest;
use ottla_testkit::Command;

use super::session::{Session, error, joined};

const KINDS: [(&str, i8); 5] = [("topic", 2), ("broker", 4), ("logger", 8), ("client-metrics", 16), ("group", 32)];

fn resource(word: &str) -> (i8, String) {
    let (kind, name) = word.split_once(':').unwrap_or_else(|| panic!("{word} is no resource"));
    let known = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, number)| *number);
    (known.unwrap_or_else(|| kind.parse().expect("a kind of resource")), name.to_owned())
}

fn printed_resource(kind: i8, name: &str) -> String {
    match KINDS.iter().find(|(_, number)| *number == kind) {
        Some((known, _)) => format!("{known}:{name}"),
        None => format!("{kind}:{name}"),
    }
}

fn resources<'a>(command: &Command<'a>) -> Vec<&'a str> {
    let options = ["synonyms", "docs", "validate-only"];
    let changes = ["delete:", "null:"];
    let words = command.words.iter().filter(|word| !options.contains(word));
    words.filter(|word| changes.iter().all(|change| !word.starts_with(change))).copied().collect()
}

/// All keys that `keys=` names; without it those that somebody has set.
pub(super) fn describe(session: &mut Session, command: &Command<'_>) -> String {
    let version = command.parsed("v", 4);
    let keys = command.argument("keys").map(|keys| keys.split(',').map(str::to_owned).collect::<Vec<_>>());
    let asked = resources(command).into_iter().map(|word| {
        let (resource_type, resource_name) = resource(word);
        DescribeConfigsResource { resource_type, resource_name, configuration_keys: keys.clone() }
    });
    let request = DescribeConfigsRequest {
        resources: asked.collect(),
        include_synonyms: command.has("synonyms"),
        include_documentation: command.has("docs"),
    };
    session.ask(version, &request, |_, mut answer| {
        joined(answer.results.iter_mut().map(|result| {
            let outcome = error(result.error_code, result.error_message.as_deref());
            let mut lines =
                vec![format!("{} {outcome}", printed_resource(result.resource_type, &result.resource_name))];
            result.configs.sort_by(|a, b| a.name.cmp(&b.name));
            // A real Kafka sets min.insync.replicas for all brokers when it is formatted.
            let set = |config: &&DescribeConfigsResourceResult| {
                keys.is_some()
                    || !(config.is_default || config.config_source == 5 || config.name == "min.insync.replicas")
            };
            lines.extend(result.configs.iter().filter(set).map(|config| printed(config, version)));
            lines.join("\n")
        }))
    })
}

fn printed(config: &DescribeConfigsResourceResult, version: i16) -> String {
    let mut line = format!("  {}={}", config.name, config.value.as_deref().unwrap_or("null"));
    line += &if version == 0 {
        format!(" default={}", config.is_default)
    } else {
        format!(" source={}", config.config_source)
    };
    line += if config.read_only { " read-only" } else { "" };
    line += if config.is_sensitive { " sensitive" } else { "" };
    if version >= 3 {
        line += &format!(" type={}", config.config_type);
    }
    line += if config.documentation.is_some() { " documented" } else { "" };
    for synonym in &config.synonyms {
        line += &format!(" <{}:{}={}>", synonym.source, synonym.name, synonym.value.as_deref().unwrap_or("null"));
    }
    line
}

/// `set:KEY=VALUE` and `null:KEY` for every resource that is named.
pub(super) fn alter(session: &mut Session, command: &Command<'_>) -> String {
    let set = command.arguments.iter().filter_map(|(key, value)| Some((key.strip_prefix("set:")?, Some(*value))));
    let null = command.words.iter().filter_map(|word| Some((word.strip_prefix("null:")?, None)));
    let configs: Vec<_> = set
        .chain(null)
        .map(|(name, value)| alter_configs::AlterableConfig { name: name.to_owned(), value: value.map(str::to_owned) })
        .collect();
    let asked = resources(command).into_iter().map(|word| {
        let (resource_type, resource_name) = resource(word);
        alter_configs::AlterConfigsResource { resource_type, resource_name, configs: configs.clone() }
    });
    let request = AlterConfigsRequest { resources: asked.collect(), validate_only: command.has("validate-only") };
    session.ask(command.parsed("v", 2), &request, |session, answer| {
        session.settle();
        joined(answer.responses.iter().map(|one| {
            let outcome = error(one.error_code, one.error_message.as_deref());
            format!("{} {outcome}", printed_resource(one.resource_type, &one.resource_name))
        }))
    })
}

/// `set:`, `append:`, `subtract:KEY=VALUE`, `NUMBER:KEY=VALUE`, `delete:KEY` and `null:KEY` for every resource that is named.
pub(super) fn amend(session: &mut Session, command: &Command<'_>) -> String {
    let one = |operation: &str, name: &str, value: Option<&str>| incremental_alter_configs::AlterableConfig {
        name: name.to_owned(),
        config_operation: match operation {
            "set" | "null" => 0,
            "delete" => 1,
            "append" => 2,
            "subtract" => 3,
            number => number.parse().expect("an operation"),
        },
        value: value.map(str::to_owned),
    };
    let valued = command.arguments.iter().filter_map(|(key, value)| {
        let (operation, name) = key.split_once(':')?;
        Some(one(operation, name, Some(value)))
    });
    let bare = command.words.iter().filter_map(|word| {
        let (operation, name) = word.split_once(':')?;
        ["delete", "null"].contains(&operation).then(|| one(operation, name, None))
    });
    let configs: Vec<_> = valued.chain(bare).collect();
    let asked = resources(command).into_iter().map(|word| {
        let (resource_type, resource_name) = resource(word);
        incremental_alter_configs::AlterConfigsResource { resource_type, resource_name, configs: configs.clone() }
    });
    let request =
        IncrementalAlterConfigsRequest { resources: asked.collect(), validate_only: command.has("validate-only") };
    session.ask(command.parsed("v", 1), &request, |session, answer| {
        session.settle();
        joined(answer.responses.iter().map(|one| {
            let outcome = error(one.error_code, one.error_message.as_deref());
            format!("{} {outcome}", printed_resource(one.resource_type, &one.resource_name))
        }))
    })
}

/// The resources of the kinds that are named, whose names begin as `of=` says.
pub(super) fn list(session: &mut Session, command: &Command<'_>) -> String {
    let kinds = command.words.iter().map(|word| resource(&format!("{word}:")).0);
    let request = ListConfigResourcesRequest { resource_types: kinds.collect() };
    let of = command.argument("of").unwrap_or_default();
    session.ask(command.parsed("v", 1), &request, |_, answer| {
        let mut lines = vec![error(answer.error_code, None)];
        let named = answer.config_resources.iter().filter(|resource| resource.resource_name.starts_with(of));
        let mut named: Vec<_> =
            named.map(|one| format!("  {}", printed_resource(one.resource_type, &one.resource_name))).collect();
        named.sort();
        lines.extend(named);
        lines.join("\n")
    })
}
