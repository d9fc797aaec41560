//! The program `shammah`: its command line is [`shammah::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    shammah::cli::run(std::env::args_os())
}
