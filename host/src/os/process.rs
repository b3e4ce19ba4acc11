//! Child processes. A child dies with the handle that owns it, and a child that reads its standard input sees it end when this process does.

use super::listeners::{self, Listeners};
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::net::unix::pipe;
use tokio::process::Command;
pub use tokio::process::{Child, ChildStdin as ChildInput};

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file to execute.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The folder it runs in; this process's own by default.
    pub folder: Option<PathBuf>,
}

impl Program {
    /// `path` with arguments.
    pub fn new<A: Into<OsString>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            folder: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).kill_on_drop(true);
        // A terminal's Ctrl-C reaches every process of the foreground group; each child decides for itself what to do with it.
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        // Set in many shells for development; the engine would then capture a native backtrace for every error of a guest.
        command.env_remove("RUST_BACKTRACE");
        // What this process was left is not for its children.
        command.env_remove(listeners::VARIABLE);
        command
    }

    /// Runs it to its end, with nothing to read, and returns what it wrote to standard error.
    ///
    /// # Errors
    /// The program could not be started.
    pub async fn run(&self) -> io::Result<(ExitStatus, String)> {
        let output = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .await?;
        Ok((
            output.status,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    /// Runs it to its end on this process's own terminal.
    ///
    /// # Errors
    /// The program could not be started.
    pub async fn run_attached(&self) -> io::Result<ExitStatus> {
        self.command().stdin(Stdio::null()).status().await
    }

    /// Starts it with pipes for standard input, output and error.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn start(&self) -> io::Result<Child> {
        // A group of its own: Ctrl-C must reach the parent alone, which then drains its children in order.
        self.command()
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// The file of the running program.
///
/// # Errors
/// As the operating system says.
pub fn current_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Makes this process a new image of its own program, with the same number, arguments, environment, standard input, output and error.
/// Everything else is gone, but `listeners` go on listening and are found by [`super::Network::listen`]. Returns only if it fails.
///
/// # Errors
/// As the operating system says; `listeners` are not closed then.
pub fn replace(listeners: &Listeners) -> io::Result<Infallible> {
    /// The program that runs, also if its file was replaced or removed since.
    const RUNNING: &str = "/proc/self/exe";
    let passed = listeners.pass()?;
    let file = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let running = Path::new(RUNNING);
    // By its own path if that is still the same file: the system names a process after the path it was started by.
    let path = match (current_program(), file(running)) {
        (Ok(path), Ok(is)) if file(&path).is_ok_and(|other| other == is) => path,
        (Ok(path), Err(_)) => path,
        (_, Ok(_)) => running.to_owned(),
        (Err(error), Err(_)) => return Err(error),
    };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(path);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(command
        .args(arguments)
        .env(listeners::VARIABLE, passed)
        .exec())
}

/// A variable of this process's environment, if it is set and is text.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The number of this process.
#[must_use]
pub fn id() -> u32 {
    std::process::id()
}

/// Makes this process yield to all others and bounds what it may take. Best effort: a system that refuses keeps its own limits.
pub fn restrict(memory_bytes: u64, cpu_seconds: u64) {
    use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
    /// Lower than anything that serves, higher than what only runs on an idle machine.
    const NICE: i32 = 10;
    let limit = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    let _ = setpriority_process(None, NICE);
    let _ = setrlimit(Resource::As, limit(memory_bytes));
    let _ = setrlimit(Resource::Cpu, limit(cpu_seconds));
}

/// Whether `name` is a program that can be found.
#[must_use]
pub fn is_on_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file())
    })
}

/// The pipes of this process's standard input and output, for a process that was started by [`Program::start`].
///
/// # Errors
/// They are not pipes.
pub fn parent_pipes() -> io::Result<(pipe::Receiver, pipe::Sender)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((
        pipe::Receiver::from_owned_fd(input)?,
        pipe::Sender::from_owned_fd(output)?,
    ))
}
