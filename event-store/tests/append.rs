//! Append: what a caller is told, and what is then in the log.

mod support;

use event_store::{AppendError, CommandDigest, CommandId, Filter};
use support::{TestLog, request, stream};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_can_be_read_by_stream_and_in_order() {
    let log = TestLog::create().await;
    let store = log.open().await;
    let (a, b) = (stream("account-a"), stream("account-b"));

    let first = store.append(request(&a, 0, &[1, 2])).await.unwrap();
    let second = store.append(request(&b, 0, &[3])).await.unwrap();
    let third = store.append(request(&a, 2, &[4])).await.unwrap();

    assert_eq!((first.last_position, first.last_version), (2, 2));
    assert_eq!((second.last_position, second.last_version), (3, 1));
    assert_eq!((third.last_position, third.last_version), (4, 3));
    let of_a = store.read_stream(&a, 1, 10).await.unwrap();
    assert_eq!(of_a.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(of_a.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 4]);
    let all = store.read_all(0, &Filter::all(), 10).await.unwrap();
    assert_eq!(all.events.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(all.scanned_to, 4);
    let record = all.events[0].parse().unwrap();
    assert_eq!(record.id, first.event_ids[0]);
    assert_eq!(record.stream, "account-a");
    assert_eq!(record.data.get(), r#"{"value":"1"}"#);
    store.close().await;
    log.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_a_conflict_that_names_both_versions() {
    let log = TestLog::create().await;
    let store = log.open().await;
    let a = stream("account-a");
    store.append(request(&a, 0, &[1, 2])).await.unwrap();

    for expected in [0, 1, 3, 9] {
        let outcome = store.append(request(&a, expected, &[7])).await;
        assert!(
            matches!(&outcome, Err(AppendError::Conflict { actual: 2, expected: e, .. }) if *e == expected),
            "{outcome:?}"
        );
    }
    let unknown = store.append(request(&stream("account-none"), 5, &[7])).await;
    assert!(matches!(unknown, Err(AppendError::Conflict { expected: 5, actual: 0, .. })));
    // Another process, which remembers nothing, says the same.
    let other = log.open().await;
    let outcome = other.append(request(&a, 1, &[7])).await;
    assert!(matches!(outcome, Err(AppendError::Conflict { expected: 1, actual: 2, .. })));
    assert_eq!(store.head().await.unwrap().position, 2);
    store.close().await;
    log.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_gets_the_first_answer_and_other_content_a_refusal() {
    let log = TestLog::create().await;
    let store = log.open().await;
    let a = stream("account-a");
    let asked = request(&a, 0, &[1, 2, 3]);
    let first = store.append(asked.clone()).await.unwrap();
    store.append(request(&a, 3, &[4])).await.unwrap();

    for process in [store.clone(), log.open().await] {
        let again = process.append(asked.clone()).await.unwrap();
        assert!(again.repeated);
        assert_eq!(
            (again.last_position, again.last_version, &again.event_ids),
            (first.last_position, first.last_version, &first.event_ids)
        );
        let mut other = asked.clone();
        other.digest = CommandDigest::of(&a, "something else");
        let refused = process.append(other.clone()).await;
        assert!(
            matches!(refused, Err(AppendError::CommandReused { command }) if command == asked.command)
        );
        // Also where the version would fit, and on another stream.
        other.expected_version = 4;
        let refused = process.append(other.clone()).await;
        assert!(matches!(refused, Err(AppendError::CommandReused { .. })));
        other.stream = stream("account-b");
        other.expected_version = 0;
        let refused = process.append(other).await;
        assert!(matches!(refused, Err(AppendError::CommandReused { .. })));
    }
    let (digest, found) = store.find_command(asked.command).await.unwrap().unwrap();
    assert_eq!(digest, asked.digest);
    assert_eq!(found.event_ids, first.event_ids);
    assert!(store.find_command(CommandId::fresh()).await.unwrap().is_none());
    assert_eq!(store.head().await.unwrap().position, 4);
    store.close().await;
    log.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_handed_over_together_see_the_versions_of_earlier_ones() {
    let log = TestLog::create().await;
    let store = log.open().await;
    let a = stream("account-a");
    let mut requests: Vec<_> = (0..3_000).map(|n| request(&a, n, &[n])).collect();
    // One that conflicts, in the middle: those before it stand, those after it conflict.
    requests[2_000].expected_version = 7;

    let outcomes = store.append_all(requests).await;

    assert!(outcomes[..2_000].iter().all(Result::is_ok));
    assert!(
        outcomes[2_000..]
            .iter()
            .all(|outcome| matches!(outcome, Err(AppendError::Conflict { actual: 2_000, .. })))
    );
    assert_eq!(store.head().await.unwrap().position, 2_000);
    store.close().await;
    log.drop().await;
}
