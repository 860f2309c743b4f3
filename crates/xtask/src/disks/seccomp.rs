//! Answering a program's system calls in the kernel's place: seccomp's user notification (Linux 5.5 and later, no
//! privileges). Knows calls by number only; which are to fail, and how, is in `faults`.
//!
//! A preloaded library would see nothing of a program that makes its system calls itself, and a device that fails needs
//! a kernel module and root.

#![expect(unsafe_code, reason = "there is no safe way to seccomp: prctl, seccomp and ioctl are called here")]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use libc::{c_int, c_long, sock_filter, sock_fprog};

/// A system call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    id: u64,
    /// The thread that made it.
    pub(super) thread: u32,
    /// Its number.
    pub(super) call: c_long,
    /// Its arguments, as the registers hold them.
    pub(super) arguments: [u64; 6],
}

/// What [`Listener::next`] found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// A call.
    Asked(Asked),
    /// No call within the time.
    Nothing,
    /// All whose calls were announced have ended.
    End,
}

/// Where the calls are announced.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

/// From now on these calls of this thread, and of all that it starts, wait for an answer. It cannot be taken back.
pub(super) fn announce(calls: &[c_long]) -> io::Result<Listener> {
    let filter = filter(calls);
    let length = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: prctl takes plain numbers here; seccomp reads `program` and the filter behind it, which outlive the call.
    let fd = unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program)
    };
    let fd = c_int::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel made this descriptor just now, and nobody else has it.
    Ok(Listener(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Load the call's number; for each that is wanted: announce it; let all others pass. The program is of this machine's own
/// kind, so its numbers are.
fn filter(calls: &[c_long]) -> Vec<sock_filter> {
    let step = |code: u32, k: u32, equal: u8| {
        let code = u16::try_from(code).expect("codes of BPF have 16 bits");
        sock_filter { code, jt: 0, jf: equal, k }
    };
    let number = u32::try_from(mem::offset_of!(libc::seccomp_data, nr)).expect("a small structure");
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, number, 0)];
    for call in calls {
        let call = u32::try_from(*call).expect("numbers of calls are small");
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call, 1));
        filter.push(step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0));
    filter
}

impl Listener {
    /// Waits for the next call.
    pub(super) fn next(&self, within: Duration) -> io::Result<Next> {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = c_int::try_from(within.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: one structure, and one is said to be there.
        let ready = unsafe { libc::poll(&raw mut poll, 1, milliseconds) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        if poll.revents & libc::POLLIN == 0 {
            return Ok(if poll.revents == 0 { Next::Nothing } else { Next::End });
        }
        // SAFETY: zeros are legal in every field, and the kernel wants them.
        let mut asked: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the kernel fills the structure that this request names.
        if unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } != 0 {
            let error = io::Error::last_os_error();
            // The thread was killed before its call was taken up, or a signal came between.
            let is_gone = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR));
            return if is_gone { Ok(Next::Nothing) } else { Err(error) };
        }
        let call = c_long::from(asked.data.nr);
        Ok(Next::Asked(Asked { id: asked.id, thread: asked.pid, call, arguments: asked.data.args }))
    }

    /// Lets the kernel do the call (`None`), or has it fail with an error's number. Fine if the caller is gone.
    pub(super) fn answer(&self, asked: &Asked, error: Option<c_int>) {
        let flags = if error.is_none() { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE } else { 0 };
        let flags = u32::try_from(flags).expect("a flag of 32 bits");
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error: -error.unwrap_or_default(), flags };
        // SAFETY: the kernel reads the structure that this request names. An error says that the caller was killed.
        let _ = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
    }
}
