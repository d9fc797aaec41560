use std::process::{Command, Stdio};

use super::*;

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 11434))
}

#[test]
fn a_second_daemon_is_refused_and_told_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("new");
    let first = Identity::claim(&home, address()).unwrap();
    let running = find_running(&home).unwrap();
    assert_eq!((running.pid, running.address), (std::process::id(), address()));
    assert!(running.started <= Timestamp::now());
    let refused = Identity::claim(&home, address()).unwrap_err();
    assert!(matches!(refused, ClaimError::Running { pid, .. } if pid == std::process::id()), "{refused}");
    assert!(find_running(&home).is_some(), "the refused one must not take the files away");
    drop(first);
    assert_eq!(find_running(&home), None);
    assert!(!home.join(PID).exists() && !home.join(ADDRESS).exists());
    drop(Identity::claim(&home, address()).unwrap());
}

#[test]
fn what_a_crashed_daemon_left_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    // The files of a living process, but no lock: as after a crash, when its number was given to another.
    let own = Process::observe(std::process::id()).unwrap();
    for stale in [serde_json::to_string(&own).unwrap(), "{\"pid\":1,\"started\":0,\"executable\":null}".to_owned(), "rubbish".to_owned()] {
        fs::write(home.path().join(PID), stale).unwrap();
        fs::write(home.path().join(ADDRESS), "127.0.0.1:1").unwrap();
        fs::write(home.path().join(LOCK), "").unwrap();
        assert_eq!(find_running(home.path()), None);
        let identity = Identity::claim(home.path(), address()).unwrap();
        assert_eq!(find_running(home.path()).unwrap().address, address());
        drop(identity);
    }
}

#[test]
fn a_daemon_that_has_not_said_who_it_is_is_not_disturbed() {
    let home = tempfile::tempdir().unwrap();
    let other = File::create(home.path().join(LOCK)).unwrap();
    other.try_lock().unwrap();
    assert_eq!(find_running(home.path()), None);
    let refused = Identity::claim(home.path(), address()).unwrap_err();
    assert!(matches!(refused, ClaimError::Busy { .. }), "{refused}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Identity::claim(&file.join("home"), address()).unwrap_err();
    assert!(refused.to_string().contains("file/home"), "{refused}");
    assert_eq!(find_running(&file.join("home")), None);
}

#[cfg(unix)]
#[test]
fn stopping_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;

    let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let running = Running { pid: child.id(), address: address(), started: Timestamp::now() };
    stop(&running).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert!(stop(&running).is_err());
    assert!(stop(&Running { pid: 0, ..running }).is_err());
}
