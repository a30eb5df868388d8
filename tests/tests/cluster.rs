//! The private PostgreSQL: starts, survives, stops, and says what is wrong.
//!
//! Does not know what Node-0 stores in it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    process::Command,
    time::{Duration, Instant},
};

use api::cluster::{Cluster, ClusterError, ClusterOptions, OsUser, remains};
use sqlx::{Connection, PgConnection};
use tests::own_cluster::{OwnCluster, SmallDisk};

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.url("node0")).await.expect("the cluster answers")
}

async fn refusal(options: &ClusterOptions) -> ClusterError {
    Cluster::start(options).await.expect_err("this cannot start")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn a_new_data_folder_gets_a_durable_database_that_only_its_socket_reaches() {
    let own = OwnCluster::empty();
    let cluster = Cluster::start(&own.options()).await.unwrap();
    let mut connection = connect(&cluster).await;
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
    ] {
        let query = "select current_setting($1)";
        let found: String =
            sqlx::query_scalar(query).bind(name).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, value, "{name}");
    }
    let mode = fs::metadata(cluster.folder().socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "the socket is closed to others");
    drop(connection);
    cluster.stop().await.unwrap();
    assert!(remains(&own.folder().join("pg")).is_empty(), "nothing runs after the stop");
}

#[tokio::test]
async fn a_deep_data_folder_still_gets_a_socket() {
    let own = OwnCluster::empty();
    let deep = own.folder().join("d".repeat(60)).join("e".repeat(60));
    let options = ClusterOptions { data: Some(deep), ..ClusterOptions::new("test") };
    let cluster = Cluster::start(&options).await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_is_refused_with_the_process_that_holds_the_folder() {
    let own = OwnCluster::initialised();
    let cluster = Cluster::start(&own.options()).await.unwrap();
    let second = refusal(&own.options()).await;
    assert!(matches!(second, ClusterError::InUse { .. }), "{second}");
    let message = second.to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains("NODE0_DATA"), "{message}");
    cluster.stop().await.unwrap();
    Cluster::start(&own.options()).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_tool_attaches_to_a_running_cluster_and_leaves_it_running() {
    let own = OwnCluster::initialised();
    let cluster = Cluster::start(&own.options()).await.unwrap();
    let tool = Cluster::start_or_attach(&own.options()).await.unwrap();
    assert_eq!(tool.pid(), None, "a tool that attached runs nothing");
    connect(&tool).await.ping().await.unwrap();
    {
        let waiting = tokio::time::timeout(Duration::from_millis(200), cluster.wait_for_guests());
        assert!(waiting.await.is_err(), "the one who runs it waits for the tool");
    }
    tool.stop().await.unwrap();
    cluster.wait_for_guests().await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_was_committed_survives_a_killed_postgres_and_it_is_started_again() {
    let own = OwnCluster::initialised();
    let cluster = Cluster::start(&own.options()).await.unwrap();
    let before = cluster.pid().unwrap();
    let mut connection = connect(&cluster).await;
    sqlx::raw_sql("create table kept (n int); insert into kept values (7)")
        .execute(&mut connection)
        .await
        .unwrap();
    assert!(own.kill_postgres() > 1, "the postmaster and its processes were killed");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut connection = loop {
        match PgConnection::connect(&cluster.url("node0")).await {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < deadline, "it is not started again: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let kept: i32 =
        sqlx::query_scalar("select n from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 7);
    // It may answer a moment before the one who started it has seen that it does.
    while cluster.pid() == Some(before) {
        assert!(Instant::now() < deadline, "another process serves now");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_no_obstacle() {
    let own = OwnCluster::initialised();
    Cluster::start(&own.options()).await.unwrap().stop().await.unwrap();
    let pgdata = own.folder().join("pg");
    fs::write(own.folder().join("lock"), "process 999999, `node0 serve`\n").unwrap();
    fs::write(own.folder().join("ready"), "999999").unwrap();
    fs::create_dir(own.folder().join("pg.new")).unwrap();
    // Lock files that name a living process of the same user that is not PostgreSQL.
    let user = OsUser::find(api::cluster::OS_USER_DEFAULT).unwrap();
    let mut sleeper = as_user(&user, "sleep").arg("60").spawn().unwrap();
    let socket = own.folder().join("socket/.s.PGSQL.5432");
    let text = format!("{}\n{}\n0\n5432\n\n\n0 0\nready   \n", sleeper.id(), pgdata.display());
    for left in [pgdata.join("postmaster.pid"), socket.with_extension("5432.lock"), socket] {
        fs::write(&left, &text).unwrap();
        chown(&left, Some(user.uid), Some(user.gid)).unwrap();
    }

    let cluster = Cluster::start_or_attach(&own.options()).await.unwrap();
    assert!(cluster.pid().is_some(), "it was started, not attached to a dead one");
    connect(&cluster).await.ping().await.unwrap();
    cluster.stop().await.unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

fn as_user(user: &OsUser, program: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if user.switch {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

#[tokio::test]
async fn data_of_another_major_version_is_left_alone_and_named() {
    let own = OwnCluster::initialised();
    Cluster::start(&own.options()).await.unwrap().stop().await.unwrap();
    fs::write(own.folder().join("pg/PG_VERSION"), "9\n").unwrap();
    let error = refusal(&own.options()).await.to_string();
    assert!(error.contains("made by PostgreSQL 9"), "{error}");
    assert!(error.contains("PG_BIN"), "{error}");
}

#[tokio::test]
async fn missing_programs_and_users_are_named_with_the_remedy() {
    let own = OwnCluster::empty();
    let nowhere = ClusterOptions { pg_bin: Some(own.folder().to_owned()), ..own.options() };
    let error = refusal(&nowhere).await.to_string();
    assert!(error.contains("`postgresql` package"), "{error}");
    if is_root() {
        let nobody = ClusterOptions { os_user: "no-such-user".to_owned(), ..own.options() };
        let error = refusal(&nobody).await.to_string();
        assert!(error.contains("no user `no-such-user`"), "{error}");
        let root = ClusterOptions { os_user: "root".to_owned(), ..own.options() };
        assert!(refusal(&root).await.to_string().contains("refuses to run as root"));
    }
}

#[tokio::test]
async fn data_that_cannot_be_reached_or_is_not_ours_is_refused_with_the_remedy() {
    if !is_root() {
        return eprintln!("skipped: only root can make folders of other users");
    }
    let own = OwnCluster::empty();
    let closed = own.folder().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let inside = ClusterOptions { data: Some(closed.join("data")), ..own.options() };
    let error = refusal(&inside).await.to_string();
    assert!(error.contains("cannot reach") && error.contains("chmod o+x"), "{error}");

    fs::create_dir(own.folder().join("pg")).unwrap();
    let error = refusal(&own.options()).await.to_string();
    assert!(error.contains("belongs to the user with id 0"), "{error}");
}

#[tokio::test]
async fn a_data_folder_below_a_file_is_an_error_and_not_a_panic() {
    let own = OwnCluster::empty();
    let file = own.folder().join("file");
    fs::write(&file, "").unwrap();
    let options = ClusterOptions { data: Some(file.join("data")), ..own.options() };
    let error = refusal(&options).await.to_string();
    assert!(error.starts_with("Cannot make the data folder"), "{error}");
}

#[tokio::test]
async fn a_disk_without_room_for_a_new_database_is_called_full() {
    let own = OwnCluster::empty();
    for options in ["size=32m,mode=755", "size=200m,nr_inodes=300,mode=755"] {
        let Some(_disk) = SmallDisk::mount(own.folder(), options) else { return };
        let error = refusal(&own.options()).await;
        assert!(matches!(error, ClusterError::DiskFull { .. }), "{options}: {error}");
        assert!(error.to_string().contains("Free some space"), "{error}");
    }
}

#[tokio::test]
async fn a_disk_that_filled_up_is_called_full_and_freeing_space_is_enough() {
    let own = OwnCluster::empty();
    let Some(_disk) = SmallDisk::mount(own.folder(), "size=400m,mode=755") else { return };
    Cluster::start(&own.options()).await.unwrap().stop().await.unwrap();
    let ballast = own.folder().join("ballast");
    let filled = fs::write(&ballast, vec![1; 400 << 20]).expect_err("the disk is smaller");
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let error = refusal(&own.options()).await;
    assert!(matches!(error, ClusterError::DiskFull { .. }), "{error}");
    fs::remove_file(&ballast).unwrap();
    let cluster = Cluster::start(&own.options()).await.unwrap();
    connect(&cluster).await.ping().await.unwrap();
    cluster.stop().await.unwrap();
}
