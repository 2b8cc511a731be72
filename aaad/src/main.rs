//! Starts `aaad` from its configuration file.

use std::process::ExitCode;

fn main() -> ExitCode {
    aaad::main()
}
