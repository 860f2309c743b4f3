//! The quorum on the machine itself: real executors, real files.

use std::sync::Arc;

use crate::world::{level, term, topic};
use ottla_quorum::{Options, Quorum, Term};
use ottla_storage::disk::system::SystemDisk;
use ottla_types::BrokerId;
use tokio::runtime::Builder;

#[test]
fn everything_runs_on_the_control_lane_and_is_there_after_a_restart() {
    let data = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("an executor");
    let control = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("an executor");
    let root = tempfile::tempdir().expect("a directory");
    let directory = root.path().join("ottla-metadata");
    data.block_on(async {
        let runtime = ottla_runtime::system::runtime(data.handle().clone(), control.handle().clone());
        let open = || Quorum::open(&runtime, SystemDisk::inline(), &directory, Options::new(BrokerId(1)));
        let quorum = Arc::new(open().await.expect("opened"));
        assert_eq!(data.metrics().num_alive_tasks(), 0);
        assert!(control.metrics().num_alive_tasks() > 2);
        quorum.propose(Term(1), vec![level()]).await.expect("committed");
        let proposals: Vec<_> = (0..100)
            .map(|number| {
                let quorum = quorum.clone();
                data.spawn(async move { quorum.propose(Term(1), vec![topic(number)]).await })
            })
            .collect();
        for proposal in proposals {
            proposal.await.expect("no panic").expect("committed");
        }
        let image = quorum.image();
        assert_eq!(image.topic_count(), 100);
        Arc::into_inner(quorum).expect("no proposal is left").shutdown().await.expect("stopped");
        let quorum = open().await.expect("opened again");
        assert_eq!(term(&quorum), Term(2));
        assert!(image.topics().eq(quorum.image().topics()));
        quorum.shutdown().await.expect("stopped");
    });
}
