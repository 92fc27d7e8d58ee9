//! The raw server that forks a process for each connection.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::net::{TcpListener, TcpStream};

use rustix::process::{WaitOptions, waitpid};

use crate::Result;

unsafe extern "C" {
    fn fork() -> c_int;
    safe fn _exit(status: c_int) -> !;
}

/// Answers each connection with `answer`, in a process of its own.
pub(crate) fn serve(
    listener: &TcpListener,
    answer: fn(&TcpStream) -> io::Result<()>,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
        // SAFETY: this process has one thread, so nothing is half done in the copy.
        match unsafe { fork() } {
            0 => _exit(i32::from(answer(&stream).is_err())),
            -1 => return Err(io::Error::last_os_error().into()),
            _ => {}
        }
    }
}
