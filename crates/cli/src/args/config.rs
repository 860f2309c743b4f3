//! `ottla config`, as clap reads it.

use std::str::FromStr;

use clap::Subcommand;
use ottla_client::{ConfigChange, ConfigOperation, ConfigResource};

use super::key_value;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the settings of something
    Describe {
        /// topic:NAME, broker:ID, broker (what holds for all), logger:ID, client-metrics:NAME or group:NAME
        #[arg(value_name = "WHAT")]
        resource: ResourceArg,
        /// These keys only
        #[arg(value_name = "KEY")]
        keys: Vec<String>,
        /// Show settings that have their default too
        #[arg(long, short)]
        all: bool,
        /// Say where each value comes from, and what it would be without
        #[arg(long, short)]
        origins: bool,
    },
    /// Change settings
    Set {
        /// What to change, as for describe
        #[arg(value_name = "WHAT")]
        resource: ResourceArg,
        /// Settings; KEY+=VALUE adds to a list, KEY-=VALUE takes from it
        #[arg(value_name = "KEY=VALUE", required = true, value_parser = change)]
        changes: Vec<ConfigChange>,
        /// Only check whether it would be allowed
        #[arg(long)]
        dry_run: bool,
    },
    /// Give settings their defaults again
    Unset {
        /// What to change, as for describe
        #[arg(value_name = "WHAT")]
        resource: ResourceArg,
        /// Keys
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
        /// Only check whether it would be allowed
        #[arg(long)]
        dry_run: bool,
    },
    /// List what has settings of its own
    List,
}

/// What settings belong to, as it is written on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ResourceArg(pub ConfigResource);

impl FromStr for ResourceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "topic:NAME, broker:ID, broker, logger:ID, client-metrics:NAME or group:NAME is needed, with a number as ID"
                .to_owned()
        };
        let id = |id: &str| id.parse::<i32>().ok().filter(|id| *id >= 0).ok_or_else(wrong);
        match text.split_once(':') {
            None if text == "broker" => Ok(ConfigResource::AllBrokers),
            Some((_, "")) | None => Err(wrong()),
            Some(("topic", name)) => Ok(ConfigResource::Topic(name.to_owned())),
            Some(("broker", name)) => id(name).map(ConfigResource::Broker),
            Some(("logger", name)) => id(name).map(ConfigResource::Logger),
            Some(("client-metrics", name)) => Ok(ConfigResource::ClientMetrics(name.to_owned())),
            Some(("group", name)) => Ok(ConfigResource::Group(name.to_owned())),
            Some(_) => Err(wrong()),
        }
        .map(Self)
    }
}

fn change(text: &str) -> Result<ConfigChange, String> {
    let (key, value) = key_value(text)?;
    let (key, operation) = match (key.strip_suffix('+'), key.strip_suffix('-')) {
        (Some(key), _) => (key, ConfigOperation::Append(value)),
        (_, Some(key)) => (key, ConfigOperation::Subtract(value)),
        _ => (key.as_str(), ConfigOperation::Set(value)),
    };
    Ok(ConfigChange { name: key.trim().to_owned(), operation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_replaces_adds_or_takes_away() {
        let read = |text: &str| change(text).map(|change| (change.name, change.operation));
        let five = ConfigOperation::Set("5".into());
        assert_eq!(read("retention.ms=5"), Ok(("retention.ms".into(), five)));
        let compact = || "compact".to_owned();
        assert_eq!(read("cleanup.policy+=compact"), Ok(("cleanup.policy".into(), ConfigOperation::Append(compact()))));
        assert_eq!(
            read("cleanup.policy-=compact"),
            Ok(("cleanup.policy".into(), ConfigOperation::Subtract(compact())))
        );
        assert!(read("retention.ms").is_err());
    }

    #[test]
    fn resources_are_a_kind_and_a_name() {
        let read = |text: &str| text.parse().map(|ResourceArg(resource)| resource);
        assert_eq!(read("topic:a:b"), Ok(ConfigResource::Topic("a:b".into())));
        for text in ["broker", "broker:3", "logger:1", "client-metrics:m", "group:g", "topic:t"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for wrong in ["", "topic", "topic:", "broker:x", "user:u", "broker:-1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
