//! The quorum from outside: `life` is proposals, restarts, snapshots and faults; `full` is a device without room; `crash` takes the power at every
//! operation; `system` runs on real executors and files. `world` is what they run on.

mod crash;
mod full;
mod life;
mod system;
mod world;
