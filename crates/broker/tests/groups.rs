//! What clients of groups may count on between two requests. What each API answers is in the scripts.

use ottla_protocol::find_coordinator::FindCoordinatorRequest;
use ottla_protocol::heartbeat::HeartbeatRequest;
use ottla_types::ErrorCode;

use crate::support::Running;

#[test]
fn a_coordinator_that_was_found_takes_questions_at_once() {
    let running = Running::start();
    let mut client = running.connect();
    // The first of them makes the topic of groups; each belongs to another of its partitions.
    for group in ["a", "b", "c", "d", "e"] {
        let asked = FindCoordinatorRequest { key: group.to_owned(), ..FindCoordinatorRequest::default() };
        assert_eq!(client.ask(0, &asked).error_code, 0, "{group}");
        let beat = HeartbeatRequest { group_id: group.to_owned(), ..HeartbeatRequest::default() };
        let answer = client.ask(0, &beat);
        assert_eq!(answer.error_code, ErrorCode::UnknownMemberId.raw(), "{group} has a coordinator, and no members");
    }
}
