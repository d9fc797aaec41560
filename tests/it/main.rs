//! The program from outside: it is started on a free port, spoken to in its protocols, and crashed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batching;
mod crash;
mod daemon;
mod errors;
mod evaluation;
mod health;
mod latency;
mod lifecycle;
mod load;
mod models;
mod protocols;
mod query;
mod reply;
mod sessions;
mod status;
mod workspace;
