//! Persisted records of every kind in every version.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::{Case, narrowed, pick_version, read_write_read, run_one};
use ottla_wire::Record;

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = Vec::new();
    macro_rules! add {
        ($folder:ident, $module:ident, $record:ident) => {
            cases.push(case::<ottla_wire::records::$folder::$module::$record>());
        };
    }
    ottla_wire::for_every_record!(add);
    narrowed(cases)
});

fn case<R: Record>() -> Case {
    let run = |body: &[u8], number: u8| {
        let version = pick_version(R::VERSIONS, number);
        read_write_read(body, |r| R::decode(r, version), |record, w| record.encode(w, version));
    };
    Case { name: R::NAME, run }
}

fuzz_target!(|bytes: &[u8]| run_one(&CASES, bytes));
