//! DeleteTopics: which topics go, by name or by id (KIP-516).
//!
//! The checks and their order are Kafka's (`ControllerApis.deleteTopics`): first what the request says badly or twice,
//! then what does not exist, then what it says once by name and once by id. Topics that pass are deleted even if others
//! of the request do not. Who may delete what, and who may know that a topic exists, is the handler's to settle before.

use std::collections::BTreeSet;
use std::fmt;

use ottla_metadata::Fact;
use ottla_types::{ErrorCode, TopicId};

use crate::create_topics::within_limit;
use crate::draft::Draft;
use crate::request::Refusal;
use crate::settings::Settings;

/// Somebody no longer wants topics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeleteTopics {
    /// Which.
    pub topics: Vec<TopicReference>,
}

/// A topic by its name or by its id: one of the two.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicReference {
    /// Its name.
    pub name: Option<String>,
    /// Its id; `TopicId::ZERO` for none.
    pub id: TopicId,
}

/// What came of the wish to delete a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletedTopic {
    /// Its name, as far as known.
    pub name: Option<String>,
    /// Its id, as far as known; `TopicId::ZERO` otherwise.
    pub id: TopicId,
    /// Whether it is gone.
    pub result: Result<(), DeleteTopicRefusal>,
}

/// Why one topic of a request is not deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeleteTopicRefusal {
    /// Neither a name nor an id.
    #[error("neither a name nor an id is given")]
    Nameless,
    /// A name and an id.
    #[error("a topic is given by its name or by its id, not by both")]
    NameAndId,
    /// The name is there more than once.
    #[error("the request gives this name more than once")]
    DuplicateName,
    /// The id is there more than once.
    #[error("the request gives this id more than once")]
    DuplicateId,
    /// The name and, elsewhere in the request, the id of the same topic.
    #[error("the request gives the topic of this name by its id, too")]
    NameOfGivenId,
    /// No topic has the name.
    #[error("there is no topic of this name")]
    UnknownName,
    /// No topic has the id.
    #[error("there is no topic with this id")]
    UnknownId,
}

impl DeleteTopicRefusal {
    /// Kafka's code for it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Nameless | Self::NameAndId | Self::DuplicateName | Self::DuplicateId | Self::NameOfGivenId => {
                ErrorCode::InvalidRequest
            }
            Self::UnknownName => ErrorCode::UnknownTopicOrPartition,
            Self::UnknownId => ErrorCode::UnknownTopicId,
        }
    }
}

/// Deletes what can be deleted.
pub(crate) fn decide(
    request: &DeleteTopics,
    draft: &mut Draft,
    settings: &Settings,
) -> Result<Vec<DeletedTopic>, Refusal> {
    if !settings.topics_deletable {
        return Err(Refusal::DeletionDisabled);
    }
    within_limit(request.topics.len(), "changes")?;
    let mut results = Vec::new();
    let mut refuse = |name: Option<&str>, id: TopicId, refusal: DeleteTopicRefusal| {
        results.push(DeletedTopic { name: name.map(str::to_owned), id, result: Err(refusal) });
    };

    let (mut names, mut ids) = (Wanted::default(), Wanted::default());
    for topic in &request.topics {
        match (topic.name.as_deref(), topic.id) {
            (None, TopicId::ZERO) => refuse(None, TopicId::ZERO, DeleteTopicRefusal::Nameless),
            (None, id) => ids.add(id),
            (Some(name), TopicId::ZERO) => names.add(name),
            (Some(name), id) => refuse(Some(name), id, DeleteTopicRefusal::NameAndId),
        }
    }
    names.often.iter().for_each(|name| refuse(Some(name), TopicId::ZERO, DeleteTopicRefusal::DuplicateName));
    ids.often.iter().for_each(|id| refuse(None, *id, DeleteTopicRefusal::DuplicateId));

    let image = draft.image();
    let mut doomed = BTreeSet::new();
    for id in ids.once {
        if image.topic_by_id(id).is_some() {
            doomed.insert(id);
        } else {
            refuse(None, id, DeleteTopicRefusal::UnknownId);
        }
    }
    for name in names.once {
        let Some(id) = image.topic_by_name(name).map(|topic| topic.id) else {
            refuse(Some(name), TopicId::ZERO, DeleteTopicRefusal::UnknownName);
            continue;
        };
        if ids.often.contains(&id) || !doomed.insert(id) {
            // Neither way of naming it counts then: one answer, and the topic stays.
            doomed.remove(&id);
            refuse(Some(name), id, DeleteTopicRefusal::NameOfGivenId);
        }
    }
    for id in doomed {
        let name = draft.image().topic_by_id(id).map(|topic| topic.name.to_string());
        draft.write(Fact::TopicDeleted { id });
        results.push(DeletedTopic { name, id, result: Ok(()) });
    }
    Ok(results)
}

/// What a request names once, and what more than once.
struct Wanted<T> {
    once: BTreeSet<T>,
    often: BTreeSet<T>,
}

impl<T> Default for Wanted<T> {
    fn default() -> Self {
        Self { once: BTreeSet::new(), often: BTreeSet::new() }
    }
}

impl<T: Ord + Copy> Wanted<T> {
    fn add(&mut self, name: T) {
        if self.often.contains(&name) {
            return;
        }
        if !self.once.insert(name) {
            self.once.remove(&name);
            self.often.insert(name);
        }
    }
}

impl fmt::Display for DeleteTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("delete-topics")?;
        self.topics.iter().try_for_each(|topic| match &topic.name {
            Some(name) => write!(f, " {name:?}"),
            None => write!(f, " {}", topic.id),
        })
    }
}

impl fmt::Display for DeletedTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("-"))?;
        if !self.id.is_zero() {
            write!(f, " id={}", self.id)?;
        }
        match self.result {
            Ok(()) => f.write_str(": deleted"),
            Err(refusal) => write!(f, ": {}: {refusal}", refusal.code()),
        }
    }
}
