//! Starts `billing-api` from its configuration file.

fn main() -> std::process::ExitCode {
    billing_api::main()
}
