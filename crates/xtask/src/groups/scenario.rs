//! What every client goes through, the same for all: [`play`] reads as the list in interop/README.md.

use super::clients::Client;
use super::gate::Gate;
use super::stage::Stage;

/// Findings that are shown of a client.
const FINDINGS_SHOWN: usize = 10;

/// Plays the scenario of one client; how many records were read. Comes to the gate, if there is one, when the members share
/// the topic for the second time, and goes on when the broker was restarted.
pub(super) fn play(client: &Client, address: &str, gate: Option<&Gate>) -> Result<usize, String> {
    let mut arrival = Arrival { gate };
    let mut stage = Stage::new(client, address)?;
    for name in ["a", "b", "c"] {
        stage.join(name, false)?;
    }
    stage.until("three members share the topic", |stage| stage.shared(&["a", "b", "c"]))?;

    stage.kill("c")?;
    stage.signal("b", "STOP");
    stage.forget();
    stage.until("one is left when another was killed and a third is paused", |stage| stage.shared(&["a"]))?;

    stage.signal("b", "CONT");
    stage.join("d", false)?;
    stage.forget();
    stage.until("who was paused comes back, beside a new one", |stage| stage.shared(&["a", "b", "d"]))?;

    if let Some(gate) = arrival.come() {
        stage.until("the broker is restarted", |_| gate.is_open())?;
        stage.forget();
        stage.until("they go on when the broker was killed and started", |stage| stage.shared(&["a", "b", "d"]))?;
    }
    stage.leave(&["a", "b", "d"])?;

    commits_by_interval(&mut stage)?;
    let ends = stage.end_load()?;
    stage.caught_up(&ends)?;
    stage.leave(&["f"])?;
    judged(stage.verdict(&ends))
}

/// One member that commits by itself and is killed, and one that goes on from there.
fn commits_by_interval(stage: &mut Stage<'_>) -> Result<(), String> {
    let before = stage.watched();
    stage.join("e", true)?;
    stage.until("a member commits by interval", |stage| {
        stage.watched().iter().zip(&before).all(|(now, before)| now > before)
    })?;
    stage.kill("e")?;
    // Nothing of it is on its way any more.
    stage.look()?;
    stage.join("f", true)?;
    stage.until("a member takes over from a killed one", |stage| stage.shared(&["f"]))
}

fn judged((count, findings): (usize, Vec<super::judge::Finding>)) -> Result<usize, String> {
    if findings.is_empty() {
        return Ok(count);
    }
    let shown: String = findings.iter().take(FINDINGS_SHOWN).map(|finding| format!("\n    {finding}")).collect();
    Err(format!("{} findings{shown}", findings.len()))
}

/// Comes to the gate once, at the latest when the scenario is over: the others must not wait for who failed.
struct Arrival<'a> {
    gate: Option<&'a Gate>,
}

impl<'a> Arrival<'a> {
    fn come(&mut self) -> Option<&'a Gate> {
        let gate = self.gate.take()?;
        gate.arrive();
        Some(gate)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.come();
    }
}
