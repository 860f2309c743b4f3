//! What is promised:
//!
//! - within one generation, or epoch, no partition has two owners;
//! - in a group of the consumer protocol nobody is told a partition before its owner has given it back, and nothing that
//!   is remembered says that two members have it;
//! - every request gets exactly one answer, also when the coordinator is given up;
//! - what a commit was acknowledged for is there, whatever happens to the coordinator, as long as its topic is;
//! - a coordinator that is read from its log, as records and as compaction leaves them, is what the one before it was;
//! - once members behave, every group comes to rest: all are in one generation, and each partition that anybody reads
//!   belongs to one of those who read it;
//! - who behaves stays a member, also when others come and go and the group turns from one protocol into the other;
//! - where `group.consumer.migration.policy` lets groups turn both ways, nobody is refused for its protocol.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_coordinator::{Input, MigrationPolicy, Now, OffsetFetch, Output, Reply, Request, RequestId, Shard};

use super::client::Taken;
use super::reads::{Partition, Partitions};
use super::standings::held;
use super::steps::GROUPS;
use super::world::{Offsets, World};

/// By group, how often it had ended, and generation: who has which partition.
pub(super) type Owners = BTreeMap<(Arc<str>, u64, i32), BTreeMap<Partition, Arc<str>>>;

impl World {
    /// What an answer was to a client breaks no promise.
    pub(super) fn check_taken(&mut self, index: usize, taken: Taken) -> Result<(), String> {
        match taken {
            Taken::Nothing => Ok(()),
            Taken::Partitions => {
                self.claim(index)?;
                self.check_given_back(index)
            }
            Taken::Refused(error) => match self.settings.migration {
                MigrationPolicy::Disabled | MigrationPolicy::Downgrade => Ok(()),
                MigrationPolicy::Upgrade | MigrationPolicy::Bidirectional => {
                    Err(format!("client {index} was refused with {error:?}"))
                }
            },
            Taken::Forgotten(_) | Taken::Fenced if self.is_calm => {
                Err(format!("client {index} behaves, and was told {taken:?}"))
            }
            Taken::Forgotten(_) | Taken::Fenced => Ok(()),
        }
    }

    /// A client has partitions of a generation: nobody else has them in the same.
    fn claim(&mut self, index: usize) -> Result<(), String> {
        let client = &self.clients[index];
        let Some((generation, partitions)) = client.works() else { return Ok(()) };
        let (group, name) = (client.group(), client.name());
        let owners = self.owners.entry((group.clone(), self.asked[index].ends, generation)).or_default();
        for partition in partitions {
            let before = owners.entry(*partition).or_insert_with(|| name.clone());
            if *before != name {
                return Err(format!("{group}/{partition:?} is of {before} and {name} in generation {generation}"));
            }
        }
        Ok(())
    }

    /// A client has partitions of a group of the consumer protocol: no other member still has them.
    fn check_given_back(&self, index: usize) -> Result<(), String> {
        let client = &self.clients[index];
        let (group, name) = (client.group(), client.name());
        let (Some((_, partitions)), Some(standing)) = (client.works(), self.standings.of(group, client.member()))
        else {
            return Ok(());
        };
        // What the answer told may be over by now.
        let told: Partitions = held(standing).filter(|partition| partitions.contains(partition)).collect();
        for other in self.clients.iter().filter(|other| other.group() == group && other.name() != name) {
            let (Some((epoch, has)), Some(standing)) = (other.works(), self.standings.of(group, other.member())) else {
                continue;
            };
            // Who did not join a round of the classic protocol, and does not know that yet, has nothing in it.
            if (other.is_consumer() || standing.epoch == epoch)
                && let Some(partition) = told.intersection(has).next()
            {
                let other = other.name();
                return Err(format!("{name} is told {partition:?} of {group} before {other} gave it back"));
            }
        }
        Ok(())
    }

    /// All groups are at rest.
    pub(super) fn check_rest(&self) -> Result<(), String> {
        GROUPS.iter().try_for_each(|group| self.check_rest_of(group))
    }

    /// All members of a group work in one generation, and have all that they read.
    fn check_rest_of(&self, group: &str) -> Result<(), String> {
        let (mut generation, mut owned, mut read) = (None, Vec::new(), Partitions::new());
        for client in self.clients.iter().filter(|client| &**client.group() == group && !client.is_out()) {
            let Some((known, partitions)) = client.works() else {
                return Err(format!("{} of {group} finds no rest", client.name()));
            };
            if *generation.get_or_insert(known) != known {
                return Err(format!("members of {group} are in different generations"));
            }
            let reads = client.read(&self.image);
            if let Some(other) = partitions.difference(&reads).next() {
                return Err(format!("{} of {group} has {other:?}, and reads {reads:?}", client.name()));
            }
            owned.extend(partitions.iter().copied());
            read.extend(reads);
        }
        owned.sort_unstable();
        if !owned.iter().eq(&read) {
            return Err(format!("members of {group} have {owned:?} of {read:?}"));
        }
        Ok(())
    }

    /// What is read from the log is what is here.
    pub(super) fn check_replay(&mut self) -> Result<(), String> {
        let now = self.now();
        let image = self.image.clone();
        let requests =
            self.clients.iter_mut().filter_map(|client| client.request(false, 0, 0, &image)).collect::<Vec<_>>();
        let compacted: BTreeMap<_, _> = self.log.iter().cloned().collect();
        let compacted: Vec<_> = compacted.into_iter().filter(|(_, value)| value.is_some()).collect();
        let mut pictures = Vec::new();
        for log in [&self.log, &compacted] {
            pictures.push(picture(&mut self.loaded(log)?, now, &requests));
        }
        let here = picture(&mut self.shard, now, &requests);
        for (picture, what) in pictures.iter().zip(["log", "compacted log"]) {
            if *picture != here {
                return Err(format!("what is read from the {what} differs:\n{picture}\nhere:\n{here}"));
            }
        }
        Ok(())
    }
}

/// Every group, its offsets, and what its members are told, as text.
fn picture(shard: &mut Shard, now: Now, members: &[Request]) -> String {
    let mut requests = Vec::new();
    for group in GROUPS.map(Arc::<str>::from) {
        let fetch = Request::OffsetFetch(OffsetFetch { group: group.clone(), member: None, epoch: -1, topics: None });
        let consumers = Request::DescribeConsumerGroup(group.clone());
        requests.extend([Request::DescribeGroup(group), consumers, fetch]);
    }
    requests.extend(members.iter().cloned());
    let mut text = Vec::new();
    for request in requests {
        shard.handle(now, Input::Request(RequestId(0), request));
        while let Some(output) = shard.poll() {
            if let Output::Reply(_, reply) = output {
                text.push(reply.to_string());
            }
        }
    }
    text.join("\n")
}

/// What was acknowledged before somebody asked is what they are told, or something later is.
pub(super) fn check_offsets(group: &str, acknowledged: &Offsets, reply: &Reply) -> Result<(), String> {
    let Reply::OffsetFetch(Ok(topics)) = reply else { return Ok(()) };
    for ((name, index), offset) in acknowledged {
        let topic = topics.iter().find(|topic| topic.name == *name);
        let told = topic.and_then(|topic| topic.partitions.iter().find(|partition| partition.index == *index));
        if told.is_none_or(|told| told.offset < *offset) {
            return Err(format!("{group}/{name}-{index} was committed at {offset}, and is told as {told:?}"));
        }
    }
    Ok(())
}
