//! Listening sockets that stay open while this process becomes a new image of its program.
//!
//! The old image holds them ([`Listeners`]), clears what would close them, and names them in [`VARIABLE`]; the new one finds them there
//! ([`Inherited`]) and accepts what the kernel has queued meanwhile. The variable begins with the number of the process, which stays the
//! same: what a child finds in its environment is not for it.

use std::fmt::Write;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// What the environment names them in: `PID;127.0.0.1:8080=7,…`.
pub const VARIABLE: &str = "BOOKSHOP_LISTENERS";

/// Listening sockets that are held open whoever else closes them.
#[derive(Default)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Holds one open until this is dropped.
    ///
    /// # Errors
    /// The process has no file descriptors left.
    pub fn hold(&mut self, listener: &super::network::TcpListener) -> io::Result<()> {
        let held = socket2::SockRef::from(listener).try_clone()?;
        self.0.push(held.into());
        Ok(())
    }

    /// Has them stay open in the next image of this process; returns the value of [`VARIABLE`].
    ///
    /// # Errors
    /// As the operating system says.
    pub fn pass(&self) -> io::Result<String> {
        let mut text = format!("{};", std::process::id());
        for (number, listener) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            fcntl_setfd(listener, FdFlags::empty())?;
            write!(
                text,
                "{comma}{}={}",
                listener.local_addr()?,
                listener.as_raw_fd()
            )
            .map_err(io::Error::other)?;
        }
        Ok(text)
    }
}

/// What the image before this one left open and nobody has taken yet.
#[derive(Default)]
pub struct Inherited(Mutex<Vec<(SocketAddr, TcpListener)>>);

impl Inherited {
    /// Takes over what this process was left. The first call in a process gets it; there is nothing for later ones.
    #[must_use]
    pub fn of_this_process() -> Self {
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        if IS_TAKEN.swap(true, Ordering::SeqCst) {
            return Self::default();
        }
        let text = super::process::variable(VARIABLE).unwrap_or_default();
        let left = parse(&text, std::process::id());
        let adopted = left.into_iter().filter_map(|(address, descriptor)| {
            let listener = adopt(descriptor)?;
            (listener.local_addr().ok()? == address).then_some((address, listener))
        });
        Self(Mutex::new(adopted.collect()))
    }

    /// The socket that listens on `address`, if there is one.
    pub fn take(&self, address: SocketAddr) -> Option<TcpListener> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = left.iter().position(|(other, _)| *other == address)?;
        Some(left.swap_remove(at).1)
    }

    /// Closes those that nobody took.
    pub fn close(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Reads the value of [`VARIABLE`] in process `id`. What makes no sense is left out.
fn parse(text: &str, id: u32) -> Vec<(SocketAddr, RawFd)> {
    let Some((process, sockets)) = text.split_once(';') else {
        return Vec::new();
    };
    if process != id.to_string() {
        return Vec::new();
    }
    let socket = |text: &str| {
        let (address, descriptor) = text.split_once('=')?;
        // Those below are standard input, output and error.
        let descriptor = descriptor.parse().ok().filter(|number| *number > 2)?;
        Some((address.parse().ok()?, descriptor))
    };
    sockets.split(',').filter_map(socket).collect()
}

/// The socket of a descriptor that the image before this one left open, if it listens.
#[allow(
    unsafe_code,
    reason = "a descriptor comes over an exec as a number, and nothing but this turns it into a socket again"
)]
fn adopt(descriptor: RawFd) -> Option<TcpListener> {
    // SAFETY: only looked at, and by calls that answer with an error if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let flags = fcntl_getfd(borrowed).ok()?;
    // What this image has opened itself has the flag: only what was left to it has not.
    if flags.contains(FdFlags::CLOEXEC) || !socket2::SockRef::from(&borrowed).is_listener().ok()? {
        return None;
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and belongs to nobody: it had been opened before this image began, and this is called once for it, at the
    // start, before anybody else looks at what was left.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, RawFd)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(address, descriptor)| (address.parse().expect("an address"), *descriptor))
            .collect();
        assert_eq!(parse(text, 42), expected);
    }

    #[test]
    fn names_sockets_of_this_process_alone() {
        check(
            "42;127.0.0.1:8080=7,[::1]:9=8",
            &[("127.0.0.1:8080", 7), ("[::1]:9", 8)],
        );
        check("43;127.0.0.1:8080=7", &[]);
        check("127.0.0.1:8080=7", &[]);
        check("", &[]);
        check("42;", &[]);
        check(
            "42;127.0.0.1:8080=0,nowhere=7,127.0.0.1:1=x,127.0.0.1:2=9",
            &[("127.0.0.1:2", 9)],
        );
    }

    #[tokio::test]
    async fn what_is_passed_on_is_adopted_again_and_once() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it can be");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime is there");
        let mut held = Listeners::default();
        held.hold(&listener).expect("descriptors are left");
        drop(listener);
        let text = held.pass().expect("it can be passed on");
        let [(named, descriptor)] = parse(&text, std::process::id())[..] else {
            panic!("{text}");
        };
        assert_eq!(named, address);
        // From here on it is nobody's, as after an exec.
        held.0.drain(..).for_each(|held| {
            use std::os::fd::IntoRawFd;
            let _ = held.into_raw_fd();
        });
        let adopted = adopt(descriptor).expect("it listens");
        assert_eq!(adopted.local_addr().expect("it is bound"), address);
        assert!(adopt(descriptor).is_none(), "it has an owner");
        let inherited = Inherited(Mutex::new(vec![(address, adopted)]));
        assert!(inherited.take(address).is_some());
        assert!(inherited.take(address).is_none());
    }

    #[test]
    fn what_does_not_listen_is_left_alone() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        fcntl_setfd(&file, FdFlags::empty()).expect("it is open");
        assert!(adopt(file.as_raw_fd()).is_none());
        assert!(adopt(RawFd::MAX).is_none());
    }
}
