//! The golden scripts of the broker: `tests/scripts/*.txt`, one for each API. What their commands mean is here and below.
//!
//! A script speaks over one connection to a broker of its own; one that is closed is opened again by the next command.
//! Topics are written by name, or as `<name>` by the id that the topic of that name had last; `<?>` is an id that none
//! has. Versions are the newest unless `v=` says otherwise.
//!
//! - `start KEY=VALUE…` begins anew with these lines of `server.properties`; `restart` stops the broker and starts it on
//!   the same disk, `kill` ends its process instead, `power-loss` takes from it what was not synced.
//! - `copy TOPIC` makes the topic with one partition that holds what a Kafka wrote: `TOPIC-0` among the data of `storage`'s
//!   tests. Another broker must have it already.
//! - `create-topics NAME… partitions= factor= validate-only config:KEY=VALUE assign:PARTITION=BROKER,…`
//! - `delete-topics NAME|<ID>…`, `metadata NAME|<ID>… all none auto-create=`, `init-producer-id txn=`
//! - `api-versions software=`
//! - `create-partitions TOPIC=COUNT:BROKER,…/…` `elect-leaders preferred|unclean TOPIC=PARTITION,… all`
//!   `reassign TOPIC/PARTITION=BROKER,…|cancel same-factor` `list-reassignments TOPIC=PARTITION,… all`
//!   `describe-topic-partitions TOPIC… limit= from=TOPIC/PARTITION`
//! - `describe-cluster operations fenced type=` `describe-quorum TOPIC/PARTITION…` `update-features NAME=LEVEL,TYPE`
//!   `unregister-broker ID`
//! - `describe-configs RESOURCE… keys=KEY,… synonyms docs`, `list-config-resources KIND… of=BEGINNING`
//! - `alter-configs RESOURCE… set:KEY=VALUE null:KEY validate-only`
//! - `incremental-alter-configs RESOURCE… set:KEY=VALUE append: subtract: NUMBER: delete:KEY null:KEY validate-only`
//! - `get-telemetry-subscriptions new` and `push-telemetry name= codec= bytes= nobody other terminating`
//! - `produce TOPIC/PARTITION… records=KEY:VALUE,… acks= time= codec= producer=ID,EPOCH,SEQUENCE transactional broken=`
//!   `step=` for the milliseconds between two records, `headers=KEY:VALUE,…` and `magic=` for a message set of magic 0 or 1
//! - `fetch TOPIC/PARTITION@OFFSET… wait= min= max= partition-max= isolation= replica= rack= epoch= fetched=
//!   session=ID|NAME,EPOCH as=NAME forget=TOPIC/PARTITION,…`; `as` gives the answer's session a name
//! - `list-offsets TOPIC/PARTITION@TIMESTAMP… epoch= replica= isolation= most=`, the last for v0
//! - `delete-records TOPIC/PARTITION@OFFSET…`, `epoch-end TOPIC/PARTITION@EPOCH… epoch= replica=`,
//!   `describe-producers TOPIC/PARTITION…`; `await-start TOPIC/PARTITION@OFFSET…` asks until the logs begin there
//! - `alter-replica-log-dirs DIRECTORY:TOPIC/PARTITION,…` and `describe-log-dirs TOPIC/PARTITION,… none settled`; the
//!   directories are `dir1`, `dir2`, for which another broker needs two of them
//! - `find-coordinator KEY… kind=`, `coordinator GROUP…` waits until they are there; `on NAME` speaks over the connection of
//!   that name from now on
//! - `join-group GROUP member= instance= session= rebalance= type= protocols=NAME:BYTES,… later`, `joined` for the answer
//!   to one that was sent `later`; `sync-group GROUP member= instance= generation= type= protocol= assign=MEMBER:BYTES,…
//!   later`, `synced`; `heartbeat GROUP member= generation= instance= until=ERROR`, `leave-group GROUP MEMBER(INSTANCE)…`
//! - `consumer-heartbeat GROUP member= epoch=0 topics=NAME,… regex= owns=TOPIC/PARTITION,…+TOPIC/… timeout= instance= rack=
//!   assignor= until=`: who joins (epoch 0) holds nothing, reads nothing and has a minute unless it says otherwise, `?` for not at all;
//!   `describe-consumer-groups GROUP… operations`
//! - `list-groups states= types=`, `describe-groups GROUP… operations`, `delete-groups GROUP…`
//! - `offset-commit GROUP TOPIC/PARTITION@OFFSET:TEXT… member= generation= instance= epoch= retention=`,
//!   `offset-fetch GROUP… partitions=TOPIC/PARTITION,… stable`, `offset-delete GROUP TOPIC/PARTITION…`
//!
//! `OTTLA_ORACLE=host:port` in the environment has the scripts ask another broker, such as a real Kafka, which should
//! hold no topics; with `OTTLA_REWRITE=1` the difference shows in the scripts.

mod admin;
mod cluster;
mod configs;
mod consumers;
mod directories;
mod fetch;
mod list_offsets;
mod log;
pub(crate) mod members;
mod offsets;
mod partitions;
mod produce;
pub(crate) mod session;
mod telemetry;

use ottla_testkit::{Command, run_scripts};

use self::session::Session;

#[test]
fn broker_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), || {
        let mut session = Session::new();
        move |line: &str| session.run(&Command::parse(line))
    });
}
