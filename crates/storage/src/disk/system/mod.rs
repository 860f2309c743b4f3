//! The operating system behind the disk seam.
