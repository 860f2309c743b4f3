//! Panics on a broker's threads, which end a task and nothing else: a test would not notice.

use std::collections::BTreeMap;
use std::panic;
use std::sync::{LazyLock, Mutex, Once};

/// What panicked, by the name of the thread.
static SEEN: LazyLock<Mutex<BTreeMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);

/// Notes panics from now on, beside telling them as usual.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if let Some(name) = std::thread::current().name() {
                let mut seen = SEEN.lock().expect("nobody panics with it");
                seen.entry(name.to_owned()).or_default().push(panic.to_string());
            }
            usual(panic);
        }));
    });
}

/// What panicked on threads of this name since it was asked last.
pub(crate) fn take(name: &str) -> Vec<String> {
    SEEN.lock().expect("nobody panics with it").remove(name).unwrap_or_default()
}
