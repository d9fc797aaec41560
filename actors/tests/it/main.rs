//! The tree under load, with an engine that follows a script: every token is known beforehand, so a gap, a repeat or a second
//! end shows.

mod bench;
mod crash;
mod limits;
mod scripted;
mod sessions;
mod shutdown;
mod stage;
