//! What the allocator is told before anything is allocated.

/// Buffers from this size on are mapped on their own and given back whole.
const MAPPED_BYTES_MIN: libc::c_int = 1 << 20;

/// Keeps large buffers out of the allocator's arenas. glibc raises the size from which it maps memory whenever a mapped
/// block is freed; then buffers of megabytes fill the arenas of every thread that ever touched one, and a broker holds
/// twice the memory after a load. They are pooled, so that mapping them is rare.
pub(crate) fn settle() {
    #[expect(unsafe_code, reason = "a call of the C library that takes two numbers")]
    // SAFETY: no pointers are involved, and no other thread runs yet.
    let taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN) };
    if taken != 1 {
        tracing::debug!("the allocator did not take its setting; more memory is held after a load");
    }
}
