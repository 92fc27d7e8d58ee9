//! `cargo book serve`: the pages on loopback, rendered anew and reloaded after each change.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use notify::{RecursiveMode, Watcher};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use tower_livereload::{LiveReloadLayer, Reloader};

use crate::render::{folder, render};

/// An editor saves a file in several steps; a change is over when nothing happens for so long.
const QUIET: Duration = Duration::from_millis(100);
/// What the book is made of.
const SOURCES: [&str; 5] = ["book", "chapters", "examples", "src", "tests"];

/// Serves the book of the repository at `root` on 127.0.0.1 and opens it in the browser.
///
/// # Errors
///
/// The book cannot be rendered, the port is taken, or the sources cannot be watched.
pub fn serve(root: &Path, port: u16) -> Result<()> {
    let out = folder(root)?;
    render(root, &out)?;
    let reload = LiveReloadLayer::new();

    let (tell, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Nobody listens any more when the program ends.
            let _ = tell.send(());
        }
    })?;
    for source in SOURCES {
        watcher.watch(&root.join(source), RecursiveMode::Recursive)?;
    }
    let (from, to, reloader) = (root.to_owned(), out.clone(), reload.reloader());
    thread::spawn(move || follow(&changes, &from, &to, &reloader));

    let pages = Router::new().fallback_service(ServeDir::new(out)).layer(reload);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("port {port}"))?;
        let address = format!("http://{}/", listener.local_addr()?);
        println!("{address} (Ctrl-C ends it)");
        if open::that_detached(&address).is_err() {
            eprintln!("no browser could be started; open {address} in one");
        }
        Ok(axum::serve(listener, pages).await?)
    })
}

/// Renders the book after each change, and tells the browser.
fn follow(changes: &Receiver<()>, root: &Path, out: &Path, reloader: &Reloader) {
    while changes.recv().is_ok() {
        while changes.recv_timeout(QUIET).is_ok() {}
        match render(root, out) {
            Ok(()) => reloader.reload(),
            Err(why) => eprintln!("error: {why:#}"),
        }
    }
}
