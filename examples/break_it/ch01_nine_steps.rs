//! Chapter 1: a server is stopped under the call, and killed under it. What can the caller know?

use std::env;
use std::io::{BufRead, BufReader, stdin};
use std::process::{Child, Command, Stdio};

use ninestep::{Channel, ClientStub, Procedures, Server, SingleThreaded};
use rustix::process::{Pid, Signal, kill_process};

// ANCHOR: pay
/// Pays a bill, and halts on the way, at a moment that the caller chooses.
fn pay(halt: String) -> &'static str {
    println!("the bill is on the table");
    if halt == "before" {
        wait_for_what_happens();
    }
    println!("the bill is paid");
    if halt == "after" {
        wait_for_what_happens();
    }
    "thank you"
}
// ANCHOR_END: pay

/// The experiment closes this process's standard input when it has done what it wants to do.
fn wait_for_what_happens() {
    let _ = stdin().read_line(&mut String::new());
}

fn serve() -> crate::Result {
    let server = Server::new(Procedures::new().on("pay", pay)).bind("127.0.0.1:0")?;
    let stop = server.stop_handle();
    ctrlc::set_handler(move || stop.stop())?;
    println!("{}", server.local_addr());
    Ok(server.run(&SingleThreaded)?)
}

/// A server in a process of its own, which does not outlive the experiment.
struct ServerProcess(Child);

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Calls `pay`, and sends a signal to the server when it halts, which it does after so many lines.
fn signal_under_the_call(signal: Signal, halt: &str, lines: usize) -> crate::Result {
    let mut command = Command::new(env::current_exe()?);
    let command = command.args(["1", "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = ServerProcess(command.spawn()?);
    let mut output = BufReader::new(server.0.stdout.take().ok_or("no output")?).lines();
    let address = output.next().ok_or("no address")??;

    let stub = ClientStub::new(&Channel::new(address))?;
    let call = stub.send::<String>("pay", (halt,))?;
    let mut printed = output.by_ref().take(lines).collect::<Result<Vec<_>, _>>()?;
    kill_process(Pid::from_child(&server.0), signal)?;
    server.0.stdin = None;
    let outcome = call.wait();
    drop(stub);
    printed.extend(output.collect::<Result<Vec<_>, _>>()?);
    printed.iter().for_each(|line| println!("  server: {line}"));
    match outcome {
        Ok(result) => println!("  client: {result}"),
        Err(error) => println!("  client: {error}; was it paid? {:?}", error.execution()),
    }
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    if env::args().nth(2).is_some() {
        return serve();
    }
    println!("The server is told to stop while the procedure runs:");
    signal_under_the_call(Signal::TERM, "before", 1)?;
    println!("The server is killed before it has paid:");
    signal_under_the_call(Signal::KILL, "before", 1)?;
    println!("The server is killed when it has paid, before it can say so:");
    signal_under_the_call(Signal::KILL, "after", 2)
}
