//! What a broker must survive: requests that real clients sent, requests that none would send, damage to both, and
//! records that become a thousand times larger when they are opened.
//!
//! - [`random`]: numbers that are the same in every run.
//! - [`recorded`]: frames that real clients sent, kept in `frames/`.
//! - [`grown`]: messages in every version, made by asking a decoder what it lacks.
//! - [`damage`]: what is done to a frame.
//! - [`bombs`]: records that blow up in every codec, and wrappers in wrappers.
//! - `main.rs` and `live/`: the program that does all this to a broker over TCP.
//!
//! Not here: decoders under their names, which `ottla-decoders` has, and what must hold after all this, which the tests
//! of the broker say.

pub mod bombs;
pub mod damage;
pub mod grown;
pub mod random;
pub mod recorded;
