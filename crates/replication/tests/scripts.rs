//! The golden scripts of the leader: `tests/scripts/*.txt`. What their commands mean is here.

use ottla_replication::{BecomeLeader, Input, Leader, Progress};
use ottla_testkit::{Command, run_scripts};
use ottla_types::{BrokerId, LeaderEpoch, Offset};

#[test]
fn leader_scripts() {
    run_scripts(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), || {
        let mut leader = None;
        move |line: &str| run(&mut leader, &Command::parse(line))
    });
}

fn run(leader: &mut Option<Leader>, command: &Command<'_>) -> String {
    let offset = |key, default| Offset(command.parsed(key, default));
    let first = || Offset(command.words[0].parse().expect("an offset"));
    let progress = Progress { end: offset("end", 0), flushed: offset("flushed", 0) };
    let epoch = LeaderEpoch(command.parsed("epoch", 1));
    let input = match command.name {
        "lead" => {
            let begin = BecomeLeader {
                epoch,
                replicas: brokers(command.argument("replicas").unwrap_or("1,2,3")),
                isr: brokers(command.argument("isr").unwrap_or("1,2,3")),
                start_offset: offset("start", 0),
                local: progress,
                high_watermark: offset("high-watermark", 0),
            };
            if leader.is_none() {
                *leader = Some(Leader::new(BrokerId(1), command.parsed("flush", true), begin));
                return outputs(leader.as_mut().expect("just made"));
            }
            Input::BecomeLeader(begin)
        }
        "end" => Input::LocalEndAdvanced(first()),
        "flushed" => Input::LocalFlushed(first()),
        "start" => Input::LocalStartAdvanced(first()),
        "fetch" => {
            let replica = BrokerId(command.words[0].parse().expect("a broker's id"));
            Input::FollowerFetched { replica, epoch, progress }
        }
        "isr" => Input::IsrChanged(brokers(command.words[0])),
        "flush" => Input::FlushChanged(command.has("on")),
        "show" => return show(leader.as_ref().expect("somebody leads")),
        name => panic!("no command {name}"),
    };
    let leader = leader.as_mut().expect("somebody leads");
    match leader.handle(input) {
        Ok(()) => outputs(leader),
        Err(refused) => format!("refused {}: {refused}", refused.code()),
    }
}

fn outputs(leader: &mut Leader) -> String {
    let outputs: Vec<_> = std::iter::from_fn(|| leader.poll()).map(|output| output.to_string()).collect();
    outputs.join("\n")
}

fn show(leader: &Leader) -> String {
    let isr: Vec<_> = leader.isr().collect();
    let mut text = format!("epoch {} from {}", leader.epoch(), leader.epoch_start());
    text += &format!(", start {}, high watermark {}", leader.start_offset(), leader.high_watermark());
    for replica in (1..=9).map(BrokerId) {
        if let Some(progress) = leader.progress(replica) {
            let standing = match (isr.contains(&replica), leader.has_caught_up(replica)) {
                (true, _) => "in sync",
                (false, true) => "caught up",
                (false, false) => "behind",
            };
            text += &format!("\n  {replica} {progress} {standing}");
        }
    }
    text
}

fn brokers(list: &str) -> Vec<BrokerId> {
    list.split(',').map(|id| BrokerId(id.parse().expect("a broker's id"))).collect()
}
