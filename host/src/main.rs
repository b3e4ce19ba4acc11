//! The program `bookshop-host`. Everything it does is in the library, where tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    bookshop_host::cli::main()
}
