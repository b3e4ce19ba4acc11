//! The program `bookshop-host`. Everything it does is in the library, where tests can reach it.

use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    bookshop_host::cli::main()
}
