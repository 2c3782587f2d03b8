//! Whose `/proc/PID/stack` comes next: the lines that people's collections of them put above, and before the lines of them.
//!
//! The kernel prints no name there (`proc_pid_stack()`, fs/proc/base.c, Linux 2.6.29-7.2); shells do:
//! `for p in /proc/[0-9]*; do echo "== $p $(cat $p/comm)"; cat $p/stack; done`, `tail -n +1 /proc/*/stack`,
//! `grep . /proc/*/stack`, and what of `/proc/PID/status` was thought worth showing.

use std::collections::BTreeMap;

use super::line::lines;
use super::report::Oops;

/// Lines between the first that names a task and its stack, at most: `/proc/PID/status` has sixty.
const MAX_ABOVE: u64 = 80;

/// Blank lines between a line that names a task and what follows are fewer: no more are looked through ahead of a stack.
pub(crate) const GAP: u64 = 8;

/// Tasks whose names are remembered.
const MAX_NAMES: usize = 1 << 16;

/// Bytes of a line that names a task; longer ones are text.
const MAX_TEXT: usize = 160;

/// A task, as the lines above its stack name it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Owner {
    /// Its thread id.
    pub pid: Option<u32>,
    /// Its name.
    pub comm: Option<String>,
    /// Its state, one letter.
    pub state: Option<char>,
    /// The first line that names it, from 0.
    pub line: u64,
    /// How that line does.
    form: Form,
}

/// How a line names a task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
enum Form {
    /// A path below `/proc`.
    Path,
    /// A word before its number: `PID: 119`.
    Word,
    /// A number first.
    Number,
    /// A name first.
    #[default]
    Name,
    /// A line of `/proc/PID/status`.
    Status,
    /// `grep` names it on each line of its stack.
    Listed,
}

/// What a line tells of a task.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Told<'l> {
    pid: Option<u32>,
    comm: Option<&'l str>,
    state: Option<char>,
    form: Form,
    /// The next line is its name.
    awaits: bool,
}

/// Who owns the stacks of a log.
#[derive(Default, Debug)]
pub(crate) struct Owners {
    /// The task that the lines just read name.
    named: Option<Owner>,
    /// The last of them, and the last that is not blank.
    until: u64,
    said: u64,
    /// The next line is its name.
    awaits: bool,
    /// The task that the last line of a stack named, and that line.
    listed: Option<(u32, u64)>,
}

impl Owners {
    /// Takes a line that is none of a stack.
    pub(crate) fn line(&mut self, text: &[u8], number: u64) {
        let goes_on = self.named.is_some() && number == self.until + 1;
        let Ok(text) = str::from_utf8(&text[..text.len().min(MAX_TEXT + 1)]) else {
            self.named = None;
            return;
        };
        let text = text.trim();
        match told(text) {
            _ if text.is_empty() && goes_on && number - self.said < GAP => self.until = number,
            Some(told) => {
                let last = self.named.take().filter(|_| goes_on);
                let other = |last: &Owner| {
                    let pid = last.pid.zip(told.pid).is_some_and(|(a, b)| a != b);
                    let again = |has: bool, new: bool| has && new;
                    // Statuses begin with the name.
                    let name = told.form == Form::Status && last.form == Form::Status;
                    pid || name && again(last.comm.is_some(), told.comm.is_some())
                };
                let mut owner = last.filter(|l| !other(l)).unwrap_or_else(|| Owner {
                    line: number,
                    form: told.form,
                    ..Owner::default()
                });
                owner.pid = owner.pid.or(told.pid);
                owner.comm = owner.comm.or_else(|| told.comm.map(str::to_owned));
                owner.state = owner.state.or(told.state);
                (self.named, self.awaits) = (Some(owner), told.awaits);
                (self.until, self.said) = (number, number);
            }
            None if goes_on && self.awaits && text.len() <= MAX_TEXT => {
                if let Some(owner) = &mut self.named {
                    owner.comm = Some(text.to_owned());
                }
                (self.until, self.said, self.awaits) = (number, number, false);
            }
            None => self.named = None,
        }
    }

    /// Whether a stack may follow whose task is named.
    pub(crate) fn names_one(&self) -> bool {
        self.named.is_some()
    }

    /// The task whose stack begins on line `number`, which is a line of `listed` where it names one; `None` where the
    /// stack goes on, or nobody is named.
    pub(crate) fn of(&mut self, number: u64, listed: Option<u32>) -> Option<Owner> {
        let named = self.named.take().filter(|_| number == self.until + 1);
        let named = named.filter(|o| number - o.line <= MAX_ABOVE && o.pid.or(listed).is_some());
        let Some(pid) = listed else {
            self.listed = None;
            return named;
        };
        let before = self.listed.replace((pid, number));
        if before.is_some_and(|(p, line)| p == pid && line + 1 == number) {
            return None;
        }
        let named = named.filter(|o| o.pid == Some(pid)).unwrap_or_default();
        Some(Owner {
            pid: Some(pid),
            line: number,
            form: Form::Listed,
            ..named
        })
    }
}

/// Whether `text` may be a line above a stack, or tell a name that is needed later.
pub(crate) fn tells(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = str::from_utf8(&text[..text.len().min(MAX_TEXT + 1)]);
    text.is_ok_and(|t| told(t).is_some())
}

/// Tasks that are named in `log`, of whose stacks nothing is shown: `reports` is what was read of it. Such a task runs,
/// has ended, or its stack may not be read.
pub fn unseen(log: &[u8], reports: &[Oops]) -> Vec<Owner> {
    let mut owners = Owners::default();
    let mut unseen: Vec<Owner> = Vec::new();
    let mut forms = Vec::new();
    let mut stacks: Vec<u32> = Vec::new();
    for (number, (_, line)) in (0u64..).zip(lines(log)) {
        let text = line.text();
        if text.starts_with(b"[<") {
            if let Some(owner) = owners.of(number, line.owner) {
                forms.push(owner.form);
                stacks.extend(owner.pid);
            }
            continue;
        }
        let before = owners.named.clone();
        owners.line(text, number);
        let same = |o: &Owner| owners.named.as_ref().is_some_and(|n| n.line == o.line);
        unseen.extend(before.filter(|o| !same(o)));
    }
    unseen.extend(owners.named.take());
    forms.sort_unstable();
    forms.dedup();
    unseen.retain(|o| o.pid.is_some() && forms.contains(&o.form));
    if forms.contains(&Form::Listed) {
        let names = names(log).into_iter();
        unseen.extend(names.map(|(pid, comm)| Owner {
            pid: Some(pid),
            comm: Some(comm),
            ..Owner::default()
        }));
    }
    // One that is named again, with its stack.
    stacks.extend(reports.iter().filter_map(|o| o.pid));
    stacks.sort_unstable();
    unseen.retain(|o| o.pid.is_none_or(|p| stacks.binary_search(&p).is_err()));
    let mut known = std::collections::BTreeSet::new();
    unseen.retain(|o| known.insert(o.pid));
    unseen
}

/// Names that `grep` shows of `/proc/PID/comm` and `status` in `log`, however far from the stacks.
pub fn names(log: &[u8]) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for (_, line) in lines(log) {
        let text = str::from_utf8(line.text()).unwrap_or_default().trim();
        let path = text.split_once("/proc/").filter(|(b, _)| b.is_empty());
        let told = path.filter(|_| text.len() <= MAX_TEXT);
        let told = told.and_then(|(_, path)| of_path(path));
        if let Some((Some(pid), Some(comm))) = told.map(|t| (t.pid, t.comm))
            && names.len() < MAX_NAMES
        {
            names.entry(pid).or_insert_with(|| comm.to_owned());
        }
    }
    names
}

/// What `text`, blanks around it removed, tells of a task; `None` for text of others.
fn told(text: &str) -> Option<Told<'_>> {
    // Frames are nobody's names.
    let frame = || text.starts_with("[<") || text.contains("+0x");
    if text.is_empty() || text.len() > MAX_TEXT || frame() {
        return None;
    }
    if let Some(found) = status(text) {
        return Some(found);
    }
    if let Some((_, path)) = text.split_once("/proc/") {
        return of_path(path);
    }
    let core = text.trim_matches(|c: char| "=-#*<>| \t".contains(c));
    let marked = core.len() < text.len();
    by_word(core)
        .or_else(|| by_number(core, marked))
        .or_else(|| by_name(core))
}

/// A line of `/proc/PID/status`.
fn status(text: &str) -> Option<Told<'_>> {
    let (key, value) = text.split_once(":\t")?;
    let sane = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if key.is_empty() || !key.bytes().all(sane) {
        return None;
    }
    let value = value.trim();
    let mut found = Told {
        form: Form::Status,
        ..Told::default()
    };
    match key {
        "Name" => found.comm = Some(value),
        "Pid" => found.pid = value.parse().ok(),
        "State" => found.state = value.chars().next(),
        _ => {}
    }
    Some(found)
}

/// What follows `/proc/`: `119/stack <==`, `119/task/120/stack`, `119 random`, `119/comm:random`.
fn of_path(path: &str) -> Option<Told<'_>> {
    let (mut pid, mut rest) = number(path)?;
    if let Some(task) = rest.strip_prefix("/task/") {
        (pid, rest) = number(task)?;
    }
    let len = match rest.strip_prefix('/') {
        Some(file) => 1 + file.bytes().take_while(u8::is_ascii_alphanumeric).count(),
        None => 0,
    };
    let (file, rest) = rest.split_at_checked(len)?;
    let found = Told {
        pid: Some(pid),
        form: Form::Path,
        ..Told::default()
    };
    Some(match (file, rest.strip_prefix(':')) {
        ("/comm", Some(comm)) => Told {
            comm: Some(comm.trim()).filter(|c| !c.is_empty()),
            ..found
        },
        ("/status", Some(line)) => {
            let line = status(line)?;
            Told {
                comm: line.comm,
                state: line.state,
                ..found
            }
        }
        ("/comm", None) if rest.trim() == "<==" => Told {
            awaits: true,
            ..found
        },
        ("/status", None) if rest.trim() == "<==" => found,
        // Of `cat`, in place of the stack.
        (_, Some(why)) if why.contains("ermission denied") || why.contains("No such") => found,
        ("" | "/" | "/stack", _) => Told {
            comm: comm(rest),
            state: state(rest),
            ..found
        },
        _ => return None,
    })
}

/// `PID: 119 comm: random`, `STACK 119 random`, `pid 119 (random)`.
fn by_word(text: &str) -> Option<Told<'_>> {
    const WORDS: [&str; 8] = [
        "pid", "tid", "task", "process", "thread", "stack", "of", "for",
    ];
    let mut rest = text;
    let mut some = false;
    while let Some(word) = rest
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .filter(|w| WORDS.iter().any(|k| k.eq_ignore_ascii_case(w)))
    {
        rest = rest[word.len()..].trim_start_matches([' ', ':', '=', '#', '\t']);
        some = true;
    }
    let (pid, rest) = number(rest).filter(|_| some)?;
    Some(Told {
        pid: Some(pid),
        comm: comm(rest),
        state: state(rest),
        form: Form::Word,
        awaits: false,
    })
}

/// `119 (random)`, `119 random`, `119: random`, `119`; `marked`: whether it stands between marks.
fn by_number(text: &str, marked: bool) -> Option<Told<'_>> {
    let (pid, rest) = number(text)?;
    let rest = match rest.strip_prefix(':') {
        Some(rest) => rest,
        None if rest.is_empty() || rest.starts_with([' ', '\t', '(']) => rest,
        None => return None,
    };
    let named = comm(rest);
    // Text may begin with a number, too.
    let bare = rest.trim().split_ascii_whitespace().count() <= 2;
    (bare || marked || rest.trim_start().starts_with(['(', '"'])).then_some(Told {
        pid: Some(pid),
        comm: named,
        state: state(rest),
        form: Form::Number,
        awaits: false,
    })
}

/// `random (119)`, `random[119]:`, `random 119`, `comm: random pid: 119`
fn by_name(text: &str) -> Option<Told<'_>> {
    let text = text.trim_end_matches(':');
    let keyed = text
        .get(..4)
        .is_some_and(|k| k.eq_ignore_ascii_case("comm"));
    if keyed && let Some(at) = text.to_ascii_lowercase().rfind("pid") {
        let (first, rest) = text.split_at_checked(at)?;
        let (pid, _) = number(rest[3..].trim_start_matches([' ', ':', '=']))?;
        return Some(Told {
            pid: Some(pid),
            comm: comm(first),
            form: Form::Name,
            ..Told::default()
        });
    }
    let (name, pid) = match text.strip_suffix([')', ']']) {
        Some(inside) => inside.rsplit_once(['(', '['])?,
        None => text.rsplit_once(' ')?,
    };
    let (name, pid) = (name.trim(), pid.trim());
    let pid = pid.parse().ok()?;
    // One word, as names mostly are.
    let sane = (1..=MAX_NAME).contains(&name.len()) && !name.contains(' ') && !name.ends_with(':');
    sane.then_some(Told {
        pid: Some(pid),
        comm: Some(name),
        form: Form::Name,
        ..Told::default()
    })
}

/// Bytes of a name: `TASK_COMM_LEN`, with the workqueue that `/proc/PID/comm` adds to a worker's.
const MAX_NAME: usize = 64;

/// The number that `text` begins with, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

/// The name of a task in what stands behind its number.
fn comm(text: &str) -> Option<&str> {
    let blank = |c: char| "=-#*<>|,: \t".contains(c);
    let mut text = text.trim_matches(blank);
    for key in ["command", "comm", "name"] {
        let begins = text.get(..key.len());
        let rest = text.get(key.len()..).unwrap_or_default();
        if begins.is_some_and(|b| b.eq_ignore_ascii_case(key)) && rest.starts_with([':', '=', ' '])
        {
            text = rest.trim_matches(blank);
        }
    }
    let at = text.to_ascii_lowercase().find(" state");
    if let Some(at) = at {
        text = text.get(..at)?.trim_matches(blank);
    }
    for (open, close) in [('(', ')'), ('[', ']'), ('"', '"'), ('\'', '\'')] {
        let inside = text.strip_prefix(open).and_then(|t| t.split_once(close));
        text = inside.map_or(text, |(inside, _)| inside);
    }
    Some(text).filter(|t| !t.is_empty() && t.len() <= MAX_NAME)
}

/// The letter behind `state`.
fn state(text: &str) -> Option<char> {
    let at = text.to_ascii_lowercase().find("state")?;
    let rest = text.get(at + 5..)?.trim_start_matches([':', '=', ' ']);
    rest.chars().next().filter(char::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests;
