//! The program `shammah`: settings, the command line, the front door and the wiring of the rooms.

pub mod cli;
pub mod daemon;
pub mod http;
pub mod identity;
pub mod os;
pub mod parts;
pub mod settings;
pub mod telemetry;
