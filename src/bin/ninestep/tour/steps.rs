//! The first part of the tour: one call, as both of its processes saw it.

use std::io::Write;

use ninestep::protocol::native::explain::Dump;
use ninestep::{Recorded, Step};

use super::process::{Process, ServerProcess};
use super::{CLIENT, Failure, QUIET, SERVER};
use crate::json_lines;

/// Calls `add(10, 5)` from one process in another, and prints the nine steps.
pub(super) fn show(out: &mut impl Write) -> Result<(), Failure> {
    let server = ServerProcess::start(&["--strategy", "thread", "--trace"])?;
    let address = server.address.clone();
    let client = Process::start(&["call", "--trace", &address, "add", "10", "5"])?;
    let (server_id, client_id) = (server.process.id(), client.id());
    let missing = server.failure("collecting the nine steps", "not all of them were told");
    let mut printed = client.finish("calling add(10, 5)")?;
    printed.extend(server.stop()?);
    let mut steps: Vec<Recorded> =
        printed.iter().filter_map(|line| json_lines::read(line)).collect();
    // Not by time: the server can have the message before the client tells step 3.
    steps.sort_by_key(|step| step.step);
    if steps.iter().map(|step| step.step).ne(Step::ALL) {
        return Err(missing);
    }
    let result = printed.iter().find(|line| json_lines::read(line).is_none());
    let result = result.map_or("", String::as_str);
    let (c, s) = (CLIENT, SERVER);
    writeln!(out, "  {s}process {server_id}{s:#}  ninestep serve, listening on {address}")?;
    writeln!(out, "  {c}process {client_id}{c:#}  ninestep call {address} add 10 5\n")?;
    print(out, &steps, "add(10, 5)", Ok(result))
}

/// Prints the steps of a call, such as `add(10, 5)`, with the bytes of its messages; it ended in a
/// result or in a fault.
pub(crate) fn print(
    out: &mut impl Write,
    steps: &[Recorded],
    call: &str,
    outcome: Result<&str, &str>,
) -> Result<(), Failure> {
    writeln!(out, "{QUIET}     who         process  thread     µs  does{QUIET:#}")?;
    let start = steps[0].at;
    let mut shown: Vec<&[u8]> = Vec::new();
    let what = if outcome.is_ok() { "result" } else { "fault" };
    for Recorded { step, bytes, process, thread, at, .. } in steps {
        // A message that was shown before is not shown again, nor is it as the end of another.
        let known = shown.iter().filter(|known| bytes.ends_with(known)).map(|known| known.len());
        let (news, known) = bytes.split_at(bytes.len() - known.max().unwrap_or(0));
        let size = match news.is_empty() {
            true => format!("the same {} bytes", known.len()),
            false => format!("{} bytes", news.len()),
        };
        let does = match step {
            Step::Call => format!("calls {call} as if it were local"),
            Step::Pack => format!("packs name and arguments into a message of {size}"),
            Step::Send => format!("sends it over the channel, after a greeting of {size}"),
            Step::Unpack => format!("receives {size} and unpacks name and arguments"),
            Step::Invoke => format!("calls the local procedure {call}"),
            Step::Run if outcome.is_err() => "runs it, which ends in a fault".to_owned(),
            Step::Run => "runs it and returns its result".to_owned(),
            Step::Reply => format!("packs the {what} into a message of {size} and sends it"),
            Step::Receive => format!("receives {size} and unpacks the {what}"),
            Step::Result => match outcome {
                Ok(result) => format!("has the result: {result}"),
                Err(fault) => format!("has the {fault}"),
            },
        };
        let (number, who, at) = (step.number(), step.who(), at.saturating_sub(start).as_micros());
        let side = if who.starts_with("client") { CLIENT } else { SERVER };
        writeln!(out, "  {side}{number}  {who:11}{side:#}{process:>8}{thread:>8}{at:>7}  {does}")?;
        if !news.is_empty() {
            let dump = Dump(news).to_string();
            let lines: Vec<String> = dump.lines().map(|line| format!("       {line}\n")).collect();
            writeln!(out, "\n{}", lines.concat())?;
            shown.push(bytes);
        }
    }
    let mut notes = vec!["Both processes read the same clock. Telling a step takes time as well."];
    let at = |wanted| steps.iter().find(|step| step.step == wanted).map(|step| step.at);
    if at(Step::Unpack).is_some_and(|unpacked| Some(unpacked) < at(Step::Send)) {
        // The kernel may let the server run before it lets the client go on.
        notes.push("Step 3 is told when the sending is over: the server had the message already.");
    }
    super::quietly(out, &notes)
}
