//! What a check or a word means, as JSON: `fixtrace.explanation/1`. Fields are only ever added.

use serde::Serialize;

use crate::products::explain::Topic;

/// A check or a word. What its kind does not have is null.
#[derive(Serialize, Debug)]
pub struct Explanation {
    /// The name of this form, with its version.
    pub schema: &'static str,
    /// `check`, `hazard` or `word`.
    pub kind: &'static str,
    /// The check's id, or the word.
    pub name: &'static str,
    /// The check's family.
    pub family: Option<&'static str>,
    /// How bad it is.
    pub severity: Option<&'static str>,
    /// What is wrong, in a few words.
    pub title: Option<&'static str>,
    /// What it means, or why it matters.
    pub why: &'static str,
    /// What to do.
    pub help: Option<&'static str>,
    /// A finding as it is shown.
    pub example: Option<&'static str>,
    /// Where the kernel or a standard says so.
    pub source: Option<&'static str>,
    /// Ids of checks that see the same fault.
    pub explains: &'static [&'static str],
}

impl Explanation {
    /// The twin of `topic`.
    pub fn new(topic: &Topic) -> Self {
        let plain = Explanation {
            schema: "fixtrace.explanation/1",
            kind: topic.kind(),
            name: topic.name(),
            family: None,
            severity: None,
            title: None,
            why: "",
            help: None,
            example: None,
            source: None,
            explains: &[],
        };
        match topic {
            Topic::Check(check) => Explanation {
                family: Some(check.family.name()),
                severity: Some(check.severity.name()),
                title: Some(check.title),
                why: check.why,
                help: Some(check.help),
                example: Some(check.example),
                source: Some(check.source),
                explains: check.explains,
                ..plain
            },
            Topic::Hazard(kind) => Explanation {
                severity: Some(kind.effect().name()),
                why: kind.why(),
                help: Some(kind.help()),
                ..plain
            },
            Topic::Word(word) => Explanation {
                why: word.text,
                ..plain
            },
        }
    }
}
