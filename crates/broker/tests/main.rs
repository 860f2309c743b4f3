//! A broker that runs, asked over its socket as any client would.
//!
//! [`support`] starts one on a simulated disk and speaks to it frame by frame. Each module tells what it is about:
//! `log_files` compares what lies on the disk with what a Kafka wrote,
//! `versions` goes through every version of every API, `scripts` are golden texts, one for each API.

mod compaction;
mod connection;
mod crowd;
mod directories;
mod faults;
mod fetch_sessions;
mod groups;
mod groups_watched;
mod hostile;
mod log_files;
mod moves;
mod restart;
mod retention;
mod scripts;
mod settings;
mod support;
mod versions;
mod watch;
