//! What validating images found, as SARIF 2.1.0: one run of all images, written piece by piece, so that no more than one
//! image is held.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::line;
use super::place::{address, function};
use crate::base::demangle::demangle;
use crate::products::validate::check::Check;
use crate::products::validate::key::Key;
use crate::products::validate::{Report, Severity, Standing, Weighed, What};

/// Beyond this many readers have no exact numbers (2^53): most of the kernel's addresses. The name holds all digits.
const EXACT: u64 = 1 << 53;

/// What is written before the results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    name: String,
    short_description: Text<'a>,
    full_description: Text<'a>,
    help: Text<'a>,
    default_configuration: Configuration,
    properties: Tags<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    text: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Tags<'a> {
    tags: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Text<'a>,
    locations: [Location<'a>; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical,
    logical_locations: Vec<Logical<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Place>,
}

#[derive(Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute_address: Option<u64>,
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fully_qualified_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical<'a> {
    name: std::borrow::Cow<'a, str>,
    fully_qualified_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decorated_name: Option<&'a str>,
    kind: &'static str,
}

#[derive(Serialize)]
struct Suppression<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
struct Notification<'a> {
    level: &'static str,
    message: Text<'a>,
}

/// A log of one run, piece by piece.
pub struct Writer {
    rules: Vec<&'static Check>,
    any: bool,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Writer {
    /// Of a program that knows `rules`; what comes first is added to `out`.
    pub fn new(rules: Vec<&'static Check>, out: &mut String) -> Self {
        let rule = |check: &&'static Check| Rule {
            id: check.id,
            name: name(check.id),
            short_description: plain(check.title),
            full_description: plain(check.why),
            help: Text {
                text: format!("{}\n\n{}\n\n{}", check.help, check.example, check.source).into(),
            },
            default_configuration: Configuration {
                level: check.severity.name(),
            },
            properties: Tags {
                tags: [check.family.name()],
            },
        };
        let tool = Tool {
            driver: Driver {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rules.iter().map(rule).collect(),
            },
        };
        out.push_str("{\"$schema\":\"");
        out.push_str(SCHEMA);
        out.push_str("\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":");
        out.push_str(&line(&tool));
        out.push_str(",\"columnKind\":\"utf16CodeUnits\",\"results\":[");
        Writer {
            rules,
            any: false,
            notes: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Adds the results of `report` to `out`.
    pub fn report(&mut self, report: &Report, out: &mut String) {
        for found in &report.findings {
            out.push_str(if self.any { ",\n" } else { "\n" });
            self.any = true;
            out.push_str(&line(&self.outcome(report, found)));
        }
        let image = &report.validation.image;
        let skipped = report.validation.skipped.iter();
        let notes =
            skipped.map(|(family, why)| format!("{image}: {} not checked: {why}", family.name()));
        self.notes.extend(notes);
    }

    /// Notes that an image cannot be read.
    pub fn unreadable(&mut self, why: &str) {
        self.failures.push(why.to_owned());
    }

    /// Adds what comes last to `out`.
    pub fn close(self, out: &mut String) {
        let note = |level: &'static str, text: &str| Notification {
            level,
            message: Text {
                text: text.to_owned().into(),
            },
        };
        let failures = self.failures.iter().map(|t| note("error", t));
        let notes = self.notes.iter().map(|t| note("note", t));
        let invocation = Invocation {
            execution_successful: self.failures.is_empty(),
            tool_execution_notifications: failures.chain(notes).collect(),
        };
        out.push_str("],\n\"invocations\":[");
        out.push_str(&line(&invocation));
        out.push_str("]}]}\n");
    }

    fn outcome<'a>(&self, report: &'a Report, found: &'a Weighed) -> Outcome<'a> {
        let finding = &found.finding;
        let image = &report.validation.image;
        let (uri, region) = match &found.source {
            Some((file, line)) => (uri(file), Some(Region { start_line: *line })),
            None => (uri(&report.file), None),
        };
        let logical = finding.spot.function.as_deref().map(|raw| {
            let name = demangle(raw);
            Logical {
                fully_qualified_name: format!("{image}:{name}"),
                decorated_name: (name != raw).then_some(raw),
                name,
                kind: "function",
            }
        });
        let logical = logical.unwrap_or_else(|| Logical {
            name: image.as_str().into(),
            fully_qualified_name: image.clone(),
            decorated_name: None,
            kind: "module",
        });
        let address = address(finding).map(|at| Place {
            absolute_address: (at < EXACT).then_some(at),
            name: format!("{at:#x}"),
            kind: match finding.spot.what {
                What::Function => "function",
                What::Row => "table",
                _ => "instruction",
            },
            fully_qualified_name: function(finding).map(|f| format!("{image}:{f}")),
        });
        let suppression = match &found.standing {
            Standing::Allowed(reason) => Some(Suppression {
                kind: "external",
                justification: reason.as_deref(),
            }),
            _ => None,
        };
        let state = match found.standing {
            Standing::Known => "unchanged",
            _ => "new",
        };
        Outcome {
            rule_id: finding.check.id,
            rule_index: self.rules.iter().position(|r| r.id == finding.check.id),
            level: level(finding.check.severity),
            message: plain(&finding.message),
            locations: [Location {
                physical_location: Physical {
                    artifact_location: Artifact { uri },
                    region,
                    address,
                },
                logical_locations: vec![logical],
            }],
            partial_fingerprints: [("fixtraceKey/v1", fingerprint(&found.key))].into(),
            baseline_state: report.compared.then_some(state),
            suppressions: suppression.into_iter().collect(),
        }
    }
}

/// The schema that this is held to.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn plain(text: &str) -> Text<'_> {
    Text { text: text.into() }
}

fn level(severity: Severity) -> &'static str {
    severity.name()
}

/// `orc-unsorted` as rules are named: `OrcUnsorted`.
fn name(id: &str) -> String {
    let word = |w: &str| -> String {
        let mut letters = w.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    };
    id.split('-').map(word).collect()
}

/// What a finding is known by in the next run.
fn fingerprint(key: &Key) -> String {
    let Key {
        image,
        id,
        function,
        place,
        ordinal,
    } = key;
    format!("{image}/{id}/{function}/{place}/{ordinal}")
}

/// A path as a URI: one from the root is a file's, others are relative.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    let mut uri = scheme.to_owned();
    for (n, byte) in path.bytes().enumerate() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            b'+' | b'=' | b'@' | b',' if n > 0 => uri.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => uri.push(char::from(b)),
            b => uri.push_str(&format!("%{b:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::{name, uri};

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("fs/select.c"), "fs/select.c");
        assert_eq!(uri("/a b/%x:ü"), "file:///a%20b/%25x%3A%C3%BC");
        assert_eq!(name("orc-unsorted"), "OrcUnsorted");
    }
}
