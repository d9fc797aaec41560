//! A port that is taken, explained.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::http::GREETING;
use crate::identity::find_running;

/// How long whoever holds the port may take to say who it is.
const PATIENCE: Duration = Duration::from_millis(500);

/// One sentence that says who holds the address and which command works.
pub(super) async fn explain(address: SocketAddr, home: &Path) -> anyhow::Error {
    if let Some(running) = find_running(home).filter(|running| running.address == address) {
        let pid = running.pid;
        return anyhow::anyhow!(
            "shammah already runs at http://{address} (process {pid}); stop it with `shammah stop`, or use it as it is"
        );
    }
    let holder = match greeting(address).await {
        Some(text) if text == GREETING => "another shammah, with another home folder,",
        Some(text) if text.contains("Ollama") => "an Ollama",
        Some(_) => "another HTTP server",
        None => "another program",
    };
    let free = format!("{}:0", address.ip());
    anyhow::anyhow!("{address} is taken by {holder}; choose another address, such as `shammah daemon --bind {free}` for any free port")
}

async fn greeting(address: SocketAddr) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
    client.get(format!("http://{address}/")).send().await.ok()?.text().await.ok()
}
