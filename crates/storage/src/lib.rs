//! One log on disk in Kafka's format, the directory that holds many, and the disk seam.

pub mod disk;
