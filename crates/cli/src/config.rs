//! `ottla config`: settings shown, changed, listed.

use ottla_client::{Admin, Cluster, ConfigChange, ConfigEntry, ConfigOperation, ConfigResource, ConfigSource};
use serde_json::{Value, json};

use crate::args::{ConfigCommand, OutputForm};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::table;

/// Runs one of the commands.
pub(crate) async fn run(cluster: Cluster, command: ConfigCommand, form: OutputForm) -> Result<(), Failure> {
    let admin = Admin::new(cluster);
    let mut output = Output::stdout();
    match command {
        ConfigCommand::Describe { resource, keys, all, origins } => {
            let named = Some(keys.as_slice()).filter(|keys| !keys.is_empty());
            let mut entries = admin.describe_configs(&resource.0, named).await?;
            if let Some(missing) = keys.iter().find(|key| entries.iter().all(|entry| entry.name != **key)) {
                return Err(Failure::new(format!("{} has no setting {missing}", resource.0)));
            }
            // Who names keys wants to see them, whoever set them.
            entries.retain(|entry| all || named.is_some() || is_set(&resource.0, entry));
            let text = match form {
                OutputForm::Table => text(&resource.0, &entries, origins),
                OutputForm::Json => json_of(&resource.0, &entries).to_string() + "\n",
            };
            output.write(text.as_bytes())?;
        }
        ConfigCommand::Set { resource, changes, dry_run } => {
            change(&admin, &resource.0, &changes, dry_run, &mut output).await?;
        }
        ConfigCommand::Unset { resource, keys, dry_run } => {
            let changes: Vec<ConfigChange> =
                keys.into_iter().map(|name| ConfigChange { name, operation: ConfigOperation::Delete }).collect();
            change(&admin, &resource.0, &changes, dry_run, &mut output).await?;
        }
        ConfigCommand::List => {
            let found = admin.list_config_resources().await?;
            let names: Vec<String> = found.iter().map(ConfigResource::to_string).collect();
            match form {
                OutputForm::Table => names.iter().try_for_each(|name| output.line(name))?,
                OutputForm::Json => output.line(&json!(names).to_string())?,
            }
        }
    }
    output.flush()
}

async fn change(
    admin: &Admin,
    resource: &ConfigResource,
    changes: &[ConfigChange],
    dry_run: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    admin.alter_configs(resource, changes, dry_run).await?;
    let done = if dry_run { "this would be allowed" } else { "changed" };
    output.line(&format!("{resource}: {done}"))
}

/// Whether somebody set it for this resource: what a broker has from its file counts for the broker.
fn is_set(resource: &ConfigResource, entry: &ConfigEntry) -> bool {
    match entry.source {
        ConfigSource::Default | ConfigSource::Unknown => false,
        ConfigSource::Topic | ConfigSource::Logger | ConfigSource::ClientMetrics | ConfigSource::Group => true,
        ConfigSource::Broker | ConfigSource::AllBrokers | ConfigSource::File => {
            !matches!(resource, ConfigResource::Topic(_))
        }
    }
}

fn text(resource: &ConfigResource, entries: &[ConfigEntry], origins: bool) -> String {
    if entries.is_empty() {
        return format!("{resource}: everything has its default\n");
    }
    let rows: Vec<[String; 3]> = entries
        .iter()
        .map(|entry| {
            let note = if entry.read_only { format!("{}, read-only", entry.source) } else { entry.source.to_string() };
            [entry.name.clone(), shown(entry), note]
        })
        .collect();
    let mut text = format!("{resource}:\n");
    if !origins {
        text += &table(["setting", "value", "from"], &rows);
        return text;
    }
    for entry in entries {
        text += &format!("  {} = {}\n", entry.name, shown(entry));
        for (name, value, source) in &entry.synonyms {
            text += &format!("      {source}: {name}={}\n", value.as_deref().unwrap_or_default());
        }
    }
    text
}

fn shown(entry: &ConfigEntry) -> String {
    match &entry.value {
        Some(value) => value.clone(),
        None if entry.sensitive => "(secret)".to_owned(),
        None => "(none)".to_owned(),
    }
}

fn json_of(resource: &ConfigResource, entries: &[ConfigEntry]) -> Value {
    let entry = |entry: &ConfigEntry| {
        let synonyms = entry.synonyms.iter();
        json!({
            "name": entry.name,
            "value": entry.value,
            "source": entry.source.to_string(),
            "readOnly": entry.read_only,
            "sensitive": entry.sensitive,
            "synonyms": synonyms
                .map(|(name, value, source)| json!({ "name": name, "value": value, "source": source.to_string() }))
                .collect::<Value>(),
        })
    };
    json!({ "resource": resource.to_string(), "configs": entries.iter().map(entry).collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: Option<&str>, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            read_only: false,
            sensitive: false,
            source,
            synonyms: vec![(name.to_owned(), value.map(str::to_owned), source)],
            documentation: None,
        }
    }

    #[test]
    fn settings_are_shown_as_a_table() {
        let topic = ConfigResource::Topic("t".to_owned());
        let entries = [
            entry("retention.ms", Some("5"), ConfigSource::Topic),
            ConfigEntry { sensitive: true, read_only: true, ..entry("ssl.key", None, ConfigSource::File) },
        ];
        let expected = "\
topic:t:
  setting       value     from
  retention.ms  5         topic
  ssl.key       (secret)  file, read-only
";
        assert_eq!(text(&topic, &entries, false), expected);
        assert_eq!(text(&topic, &[], false), "topic:t: everything has its default\n");
        assert!(text(&topic, &entries, true).contains("  retention.ms = 5\n      topic: retention.ms=5\n"));
    }

    #[test]
    fn a_broker_s_file_is_no_setting_of_a_topic() {
        let from_file = entry("segment.bytes", Some("1"), ConfigSource::File);
        assert!(!is_set(&ConfigResource::Topic("t".to_owned()), &from_file));
        assert!(is_set(&ConfigResource::Broker(1), &from_file));
    }
}
