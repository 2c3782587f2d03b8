//! What the program says on standard error. Nothing else writes there but the bar of [`super::progress`], so that nothing
//! that a message quotes acts on a terminal, or passes for a message of its own.

use std::io::{self, Write};

use fixtrace::low::base::text::{Escaped, escaped};

use super::exit::Failure;

/// Says `text`.
pub fn say(text: &str) {
    write(&message(text));
}

/// Says why the run, or the work on one of several inputs, ends, and what to do about it.
pub fn failure(failure: &Failure) {
    let mut text = message(&failure.message);
    for path in &failure.tried {
        text.push_str(&format!("  {}\n", Escaped(path.display())));
    }
    if let Some(hint) = failure.hint.as_deref().filter(|h| !h.is_empty()) {
        text.push_str(&message(&format!("hint: {hint}")));
    }
    write(&text);
}

/// Says messages that are made already, all at once. Where nobody takes them the run goes on: it has its exit code.
pub fn write(messages: &str) {
    let _ = io::stderr().write_all(messages.as_bytes());
}

/// `text` as a message: a line, whatever it quotes.
pub fn message(text: &str) -> String {
    format!("fixtrace: {}\n", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn what_a_message_quotes_begins_no_other() {
        assert_eq!(
            message("no a\x1b[2J\nfixtrace: forged\n  b\r\n"),
            "fixtrace: no a\\u{1b}[2J\\nfixtrace: forged\\n  b\\r\\n\n"
        );
    }
}
