//! Running a tool to its end, with the end of what it said.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context;

use super::{OUTPUT_BYTES_MAX, ToolOutput, last_output};

/// How a tool ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub status: ExitStatus,
    /// The last of both its outputs in their order, as in [`last_output`]; empty where it was shown.
    pub output: String,
}

/// Runs it without standard input. What it says is shown on standard error, for what we print is data, or kept.
///
/// # Errors
/// When it cannot be started.
pub(super) fn run_bounded(command: &mut Command, output: ToolOutput) -> anyhow::Result<Ran> {
    let program = command.get_program().to_string_lossy().into_owned();
    let running = || format!("cannot run {program}");
    command.stdin(Stdio::null());
    if output == ToolOutput::Shown {
        let status = command.stdout(std::io::stderr()).stderr(Stdio::inherit()).status().with_context(running)?;
        return Ok(Ran { status, output: String::new() });
    }
    let (mut reader, writer) = std::io::pipe().with_context(running)?;
    command.stdout(writer.try_clone().with_context(running)?).stderr(writer);
    let mut child = command.spawn().with_context(running)?;
    // Ours are closed, so that the end of the tool is the end of its output.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let kept = last_bytes(&mut reader).with_context(running)?;
    let status = child.wait().with_context(running)?;
    Ok(Ran { status, output: last_output(&kept) })
}

/// Twice as much as is shown, so that what is cut is cut at a line.
fn last_bytes(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    const KEPT_BYTES_MAX: usize = 2 * OUTPUT_BYTES_MAX;
    let mut kept = Vec::new();
    let mut part = [0; 8 << 10];
    loop {
        let len = reader.read(&mut part)?;
        if len == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&part[..len]);
        if kept.len() > KEPT_BYTES_MAX {
            kept.drain(..kept.len() - KEPT_BYTES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_come_in_their_order() {
        let ran = run_bounded(&mut shell("echo one; echo two >&2; echo three; exit 7"), ToolOutput::OnFailure).expect("a shell");
        assert_eq!((ran.status.code(), ran.output.as_str()), (Some(7), "one\ntwo\nthree"));
    }

    #[test]
    fn of_a_flood_the_end_is_kept() {
        let ran = run_bounded(&mut shell("yes flood | head -n 100000; echo last"), ToolOutput::OnFailure).expect("a shell");
        assert!(ran.output.starts_with("(earlier output left out)\nflood\n") && ran.output.ends_with("flood\nlast"));
        assert!(ran.output.len() <= OUTPUT_BYTES_MAX + 64);
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let error = run_bounded(&mut Command::new("sickbay-no-such-tool"), ToolOutput::OnFailure).expect_err("not there");
        assert_eq!(error.to_string(), "cannot run sickbay-no-such-tool");
    }
}
