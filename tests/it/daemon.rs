//! A daemon of its own for each test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::reply::{self, Reply};

/// Far longer than anything here should take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const GENERATOR: &str = "inference/generator-shammah-demo";

/// A running program; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) home: TempDir,
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::with(&[], &[]).await
    }

    /// With further settings (`SHAMMAH__…`) and flags; returns when it is ready.
    pub(crate) async fn with(environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let daemon = Self::spawn(tempfile::tempdir().unwrap(), environment, flags).await;
        daemon.until_ready().await;
        daemon
    }

    /// Returns when its door is open.
    pub(crate) async fn spawn(home: TempDir, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut command = command(home.path());
        command.args(flags).args(["daemon", "--bind", "127.0.0.1:0"]).envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(log(home.path())).spawn().unwrap();
        let mut daemon = Self { child, base: String::new(), client: client(), home };
        let (start, file) = (Instant::now(), daemon.home.path().join("daemon.addr"));
        let pid = daemon.child.id().to_string();
        let address = loop {
            // The files of a daemon that was killed may still lie there.
            let ours = fs::read_to_string(daemon.home.path().join("daemon.pid")).is_ok_and(|text| text.contains(&pid));
            match fs::read_to_string(&file) {
                Ok(address) if ours => break address,
                _ if start.elapsed() > DEADLINE => panic!("no address: {}", daemon.log()),
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("ended with {status}: {}", daemon.log());
            }
        };
        daemon.base = format!("http://{}", address.trim());
        daemon
    }

    pub(crate) async fn until_ready(&self) {
        self.until("it is ready", async || self.get("/readyz").await.status == 200).await;
    }

    pub(crate) async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !condition().await {
            assert!(start.elapsed() < DEADLINE, "waited too long until {what}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        reply::read(self.client.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        reply::read(self.client.delete(format!("{}{path}", self.base))).await
    }

    pub(crate) fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        reply::read(self.request(path, body)).await
    }

    /// The answer to one user message, by Anthropic's protocol.
    pub(crate) async fn ask(&self, text: &str) -> String {
        let body = json!({"max_tokens": 100, "messages": [{"role": "user", "content": text}]});
        let reply = self.post("/v1/messages", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["content"][0]["text"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self) -> Value {
        self.get("/v1/status").await.json()
    }

    pub(crate) async fn actor(&self, name: &str) -> Value {
        let status = self.status().await;
        let actor = status["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == name).cloned();
        actor.unwrap_or_else(|| panic!("no actor {name} in {status}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "it does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it by SIGTERM, and checks that it goes well.
    pub(crate) async fn stop(mut self) {
        self.signal("-TERM");
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert!(!self.home.path().join("daemon.pid").exists());
    }

    /// Gives the home folder back, for the next daemon.
    pub(crate) fn into_home(mut self) -> TempDir {
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        text.chars().rev().take(4000).collect::<Vec<_>>().into_iter().rev().collect()
    }

    pub(crate) fn whole_log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// How many file descriptors and threads it has.
    pub(crate) fn descriptors_and_threads(&self) -> (usize, usize) {
        let count = |folder: &str| fs::read_dir(format!("/proc/{}/{folder}", self.pid())).unwrap().count();
        (count("fd"), count("task"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with a home folder.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shammah"));
    command.env("SHAMMAH_HOME", home).stdin(Stdio::null());
    command
}

pub(crate) fn demo_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")
}

fn log(home: &Path) -> File {
    File::options().create(true).append(true).open(home.join("log")).unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(300)).build().unwrap()
}
