//! A headless Chromium with its driver, and the book served to it on loopback.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use axum::Router;
use rustix::process::{Pid, Signal, kill_process_group};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

/// The first of these programs that is installed.
pub(crate) fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut programs = names.iter().flat_map(|name| {
        env::split_paths(&path).map(move |folder| folder.join(name)).collect::<Vec<_>>()
    });
    programs.find(|program| program.is_file())
}

/// `chromedriver`, which ends with the value, and its browsers with it.
pub(crate) struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    pub(crate) fn start(program: &Path) -> Result<Driver> {
        let mut command = Command::new(program);
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn()?;
        let output = process.stdout.take().context("its output")?;
        let mut driver = Driver { process, address: String::new() };
        let started = BufReader::new(output).lines().find_map(|line| {
            let port = line.ok()?.split_once("successfully on port ")?.1.to_owned();
            Some(format!("http://127.0.0.1:{}", port.trim_end_matches('.')))
        });
        driver.address = started.context("chromedriver does not say its port")?;
        Ok(driver)
    }

    pub(crate) async fn browser(&self, program: &Path) -> Result<WebDriver> {
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&program.to_string_lossy())?;
        // Chromium has no sandbox for root, as which a build machine often runs it.
        for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"] {
            wanted.add_arg(argument)?;
        }
        wanted.set_logging_prefs("browser", LoggingPrefsLogLevel::All)?;
        wanted.set_logging_prefs("performance", LoggingPrefsLogLevel::All)?;
        Ok(WebDriver::new(&self.address, wanted).await?)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}

/// Serves a folder for as long as the runtime lives; the address, with a slash at its end.
pub(crate) async fn serve(folder: &Path) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = format!("http://{}/", listener.local_addr()?);
    let pages = Router::new().fallback_service(ServeDir::new(folder));
    tokio::spawn(async { axum::serve(listener, pages).await });
    Ok(address)
}
