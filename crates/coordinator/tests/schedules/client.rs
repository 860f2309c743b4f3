//! A client: in each of its lives of one protocol or the other.

use std::sync::Arc;

use ottla_coordinator::{Reply, Request};
use ottla_metadata::Image;
use ottla_types::ErrorCode;

use super::reads::{Partitions, Reads};
use super::steps::{CLASSIC_CLIENTS, GROUPS, Schedule};
use super::{classic, consumer};

/// Where a client belongs.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) group: Arc<str>,
    /// Its instance id, if it is static.
    pub(super) instance: Option<Arc<str>>,
}

/// What an answer was to a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// Nothing new.
    Nothing,
    /// It may have other partitions, or the same in another epoch.
    Partitions,
    /// It is no member any longer, and begins again.
    Forgotten(ErrorCode),
    /// Another one came under its name: it ends.
    Fenced,
    /// Its protocol is not the group's: it ends.
    Refused(ErrorCode),
}

/// What a client is at.
enum Life {
    Out,
    Classic(classic::Client),
    Consumer(consumer::Client),
}

/// A client.
pub(super) struct Client {
    index: usize,
    pub(super) place: Place,
    mixes: bool,
    topics: bool,
    /// How often it was started: each time it is another member.
    lives: usize,
    life: Life,
}

impl Client {
    /// Every third client is static, and two of each group believe to be the same.
    pub(super) fn new(index: usize, schedule: &Schedule) -> Self {
        let is_apart = !schedule.mixes && index >= CLASSIC_CLIENTS;
        let group = if is_apart { GROUPS[2] } else { GROUPS[index % 2] }.into();
        let is_static = if is_apart { index == CLASSIC_CLIENTS } else { index.is_multiple_of(3) };
        let instance = is_static.then(|| format!("i{}", index % 6).into());
        let (mixes, topics) = (schedule.mixes, schedule.topics);
        Self { index, place: Place { group, instance }, mixes, topics, lives: 0, life: Life::Out }
    }

    /// Begins, if it is not at work. `choice` chooses what can be chosen.
    pub(super) fn begin(&mut self, choice: u64) {
        let is_consumer = if self.mixes { choice & 1 == 1 } else { self.index >= CLASSIC_CLIENTS };
        self.begin_as(is_consumer, choice >> 1);
    }

    /// Begins in that protocol, if it is not at work.
    pub(super) fn begin_as(&mut self, is_consumer: bool, choice: u64) {
        if !self.is_out() {
            return;
        }
        self.lives += 1;
        let (place, reads) = (self.place.clone(), self.reads(choice));
        self.life = if is_consumer {
            let member = format!("c{}-{}", self.index, self.lives).into();
            Life::Consumer(consumer::Client::new(member, place, reads))
        } else {
            Life::Classic(classic::Client::new(self.index, place, reads, self.topics))
        };
    }

    fn reads(&self, choice: u64) -> Reads {
        Reads::chosen(self.topics.then_some(choice))
    }

    /// Its process ends.
    pub(super) fn end(&mut self) {
        self.life = Life::Out;
    }

    /// Whether it does nothing.
    pub(super) const fn is_out(&self) -> bool {
        matches!(self.life, Life::Out)
    }

    /// Whether it is at work by the consumer protocol.
    pub(super) const fn is_consumer(&self) -> bool {
        matches!(self.life, Life::Consumer(_))
    }

    pub(super) fn group(&self) -> &Arc<str> {
        &self.place.group
    }

    /// Its id in the group; empty if it has none.
    pub(super) fn member(&self) -> &str {
        match &self.life {
            Life::Out => "",
            Life::Classic(client) => client.member(),
            Life::Consumer(client) => client.member(),
        }
    }

    /// Who it is to others: a static member that comes back owns what its former self did.
    pub(super) fn name(&self) -> Arc<str> {
        self.place.instance.clone().unwrap_or_else(|| self.member().into())
    }

    /// The generation or epoch that it is in, and what it has there.
    pub(super) fn works(&self) -> Option<(i32, &Partitions)> {
        match &self.life {
            Life::Out => None,
            Life::Classic(client) => client.works(),
            Life::Consumer(client) => client.works(),
        }
    }

    /// All partitions that it reads as things are now, its own or another's.
    pub(super) fn read(&self, image: &Image) -> Partitions {
        match &self.life {
            Life::Out => Partitions::new(),
            Life::Classic(client) => client.reads.partitions(image),
            Life::Consumer(client) => client.reads.partitions(image),
        }
    }

    pub(super) fn change(&mut self, choice: u64) {
        let reads = self.reads(choice);
        match &mut self.life {
            Life::Out => {}
            Life::Classic(client) => client.change(reads),
            Life::Consumer(client) => client.change(reads),
        }
    }

    /// An answer did not come.
    pub(super) fn lost_answer(&mut self) {
        if let Life::Consumer(client) = &mut self.life {
            // It may have held an assignment: whoever says everything is told everything.
            client.change(client.reads);
        }
    }

    /// It is a consumer of the classic protocol, nobody leads it, and it looks for itself whether topics changed.
    pub(super) fn look_at(&mut self, image: &Image) {
        if let Life::Classic(client) = &mut self.life {
            client.look_at(image);
        }
    }

    /// What it asks for next. `offset` is what it would commit, `fresh` a random number.
    pub(super) fn request(&mut self, commits: bool, offset: i64, fresh: u128, image: &Image) -> Option<Request> {
        match &mut self.life {
            Life::Out => None,
            Life::Classic(client) => Some(client.request(commits, offset, fresh, image)),
            Life::Consumer(client) => Some(client.request(commits, offset, image)),
        }
    }

    pub(super) fn leave(&self) -> Option<Request> {
        match &self.life {
            Life::Out => None,
            Life::Classic(client) => client.leave(),
            Life::Consumer(client) => client.leave(),
        }
    }

    /// Takes an answer. `asked` are the topics as they were when it asked, `image` as they are now.
    pub(super) fn take(&mut self, reply: Reply, asked: &Image, image: &Image) -> Taken {
        let taken = match &mut self.life {
            Life::Out => Taken::Nothing,
            Life::Classic(client) => client.take(reply, asked, image),
            Life::Consumer(client) => client.take(reply),
        };
        if matches!(taken, Taken::Fenced | Taken::Refused(_)) {
            self.end();
        }
        taken
    }
}
