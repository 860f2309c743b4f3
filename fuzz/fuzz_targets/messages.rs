//! Requests and responses of every API in every version.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::{Case, narrowed, pick_version, read_write_read, run_one};
use ottla_protocol::Message;

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = Vec::new();
    macro_rules! add {
        ($module:ident, $request:ident, $response:ident) => {
            cases.push(case::<ottla_protocol::$module::$request>());
            cases.push(case::<ottla_protocol::$module::$response>());
        };
    }
    ottla_protocol::for_every_api!(add);
    narrowed(cases)
});

fn case<M: Message>() -> Case {
    let run = |body: &[u8], number: u8| {
        let version = pick_version(M::VERSIONS, number);
        read_write_read(body, |r| M::decode(r, version), |message, w| message.encode(w, version));
    };
    Case { name: M::NAME, run }
}

fuzz_target!(|bytes: &[u8]| run_one(&CASES, bytes));
