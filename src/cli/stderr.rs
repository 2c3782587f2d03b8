//! What the program says on standard error. Nothing else writes there but the bar of [`super::progress`], so that nothing
//! that a message quotes acts on a terminal, or passes for a message of its own.

use std::io::{self, Write};

use fixtrace::low::base::text::escaped;

use super::exit::Failure;

/// Begins every message.
const NAME: &str = "fixtrace: ";

/// A message may go on in lines that begin so: those of a list.
const GOES_ON: &str = "\n  ";

/// Says `text`.
pub fn say(text: &str) {
    write(&message(text));
}

/// Says why the run, or the work on one of several inputs, ends, and what to do about it.
pub fn failure(failure: &Failure) {
    say(&failure.message);
    if let Some(hint) = failure.hint.as_deref().filter(|h| !h.is_empty()) {
        say(&format!("hint: {hint}"));
    }
}

/// Says messages that are made already, all at once. Where nobody takes them the run goes on: it has its exit code.
pub fn write(messages: &str) {
    let _ = io::stderr().write_all(messages.as_bytes());
}

/// `text` as a message, with the end of its line.
pub fn message(text: &str) -> String {
    let parts: Vec<_> = text.split(GOES_ON).map(escaped).collect();
    format!("{NAME}{}\n", parts.join(GOES_ON))
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn what_a_message_quotes_begins_no_other() {
        assert_eq!(
            message("no a\x1b[2J\nfixtrace: forged; tried\n  /b\r\n  /c"),
            "fixtrace: no a\\u{1b}[2J\\nfixtrace: forged; tried\n  /b\\r\n  /c\n"
        );
    }
}
