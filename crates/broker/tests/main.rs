//! A broker that runs, asked over its socket as any client would.
//!
//! [`support`] starts one on a simulated disk and speaks to it frame by frame. `versions` goes through every version of
//! every API; `scripts` are golden texts, one for each API; `connection` is about frames and their order; `crowd` about
//! many connections and hostile ones; `restart` about what outlives a stop, a kill and a power loss; `faults` about disks
//! that fail; `watch` about what is told over HTTP.

mod connection;
mod crowd;
mod faults;
mod restart;
mod scripts;
mod support;
mod versions;
mod watch;
