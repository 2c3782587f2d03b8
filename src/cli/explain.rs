//! `fixtrace explain`: what a check or a word of the output means.

use fixtrace::low::products::explain::{Topic, all, find, suggestions};
use fixtrace::low::products::report::human::explanation;
use fixtrace::low::products::report::json;
use fixtrace::low::products::validate::check::FAMILIES;

use super::args::{Explain, Output};
use super::exit::{Exit, Failure};
use super::out;

/// Runs the verb.
pub fn run(args: &Explain) -> Result<Exit, Failure> {
    let output = Output {
        output: args.output.clone(),
        color: args.color,
        ..Output::default()
    };
    let name = args.name.join(" ");
    let family = FAMILIES.into_iter().find(|f| f.name() == name);
    let topic = find(&name);
    // A family may have the name of a word: the word is told, then its checks.
    if topic.is_none() && family.is_none() && !name.is_empty() {
        let near = suggestions(&name);
        let hint = match near.is_empty() {
            true => "fixtrace explain lists all checks".to_owned(),
            false => format!("did you mean {}?", near.join(", ")),
        };
        return Err(Failure::new(format!("nothing is called {name:?}"), hint));
    }
    let style = out::style(&output);
    let mut out = out::writer(&output, &[])?;
    let mut text = String::new();
    if args.json {
        let fits = |t: &Topic| match (&topic, t) {
            (None, Topic::Check(check)) => family.is_none_or(|f| f == check.family),
            (None, _) => name.is_empty(),
            (Some(topic), t) => {
                let of = matches!(t, Topic::Check(c) if Some(c.family) == family);
                topic.name() == t.name() || of
            }
        };
        for topic in all().filter(fits) {
            text.push_str(&json::line(&json::explanation::Explanation::new(&topic)));
            text.push('\n');
        }
    } else {
        if let Some(topic) = &topic {
            explanation::topic(topic, style, &mut text);
        }
        if topic.is_none() || family.is_some() {
            if topic.is_some() {
                text.push('\n');
            }
            explanation::checks(family, style, &mut text);
        }
        if name.is_empty() {
            explanation::others(style, &mut text);
        }
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
