//! Runs the binary.

use std::path::Path;
use std::process::{Command, Output};

/// What a run of the binary came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs `sluicebox` with these arguments, in `folder`, without what this process's environment says to it.
pub fn sluicebox(folder: &Path, arguments: &[&str]) -> Ran {
    run(command(folder, arguments))
}

/// The command of [`sluicebox`], to be changed.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicebox"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1");
    for name in ["SLUICEBOX_LOG", "RUST_LOG", "CARGO_TARGET_DIR", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
