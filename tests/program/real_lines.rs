//! Source lines and inlined calls of 46,000 random addresses of four real kernels and their modules, held against
//! what llvm-symbolizer, addr2line and eu-addr2line say. Run with `--ignored`, after `testdata/fetch-kernels.sh` and
//! `testdata/lines.py`; a missing kernel or table fails a test.
//!
//! An answer is right when it has the calls, functions, files and lines of llvm-symbolizer, or of one of the others.
//! In functions (10,000 addresses of each kernel, 500 of its modules) nothing else is let pass. Columns must be
//! those of llvm-symbolizer, except in rows with line 0, "no line", whose column it prints and fixtrace does not.
//!
//! In bytes that no FUNC symbol covers (500 behind labels, 500 elsewhere) two classes are left over:
//!
//! - DWARF of assembler has lines but often no function. The others print the nearest label before the place, and
//!   not all the same one; fixtrace prints the function it attributes the place to, or none. File and line are equal,
//!   and the label is the answer's `symbol`.
//! - In a fixup fixtrace gives the lines of the faulting instruction, the others those of the landing, or none.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::common::kernels::{file, find_module, kernels, release, vmlinux_path};
use crate::common::place;
use crate::run::{fixtrace, json, stderr};
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::image::Image;
use serde_json::Value;

/// One call, as DWARF tells it.
#[derive(Clone, PartialEq, Eq)]
struct Call {
    function: Option<String>,
    file: Option<String>,
    line: Option<u64>,
    column: Option<u64>,
}

impl Call {
    fn same_but_column(&self, other: &Call) -> bool {
        (&self.function, &self.file, self.line) == (&other.function, &other.file, other.line)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u64>| n.map_or("?".to_owned(), |n| n.to_string());
        let text = |t: &Option<String>| t.clone().unwrap_or("?".to_owned());
        let (line, column) = (number(self.line), number(self.column));
        write!(
            f,
            "{} {}:{line}:{column}",
            text(&self.function),
            text(&self.file)
        )
    }
}

/// Calls, innermost first.
#[derive(Clone, PartialEq, Eq)]
struct Chain(Vec<Call>);

impl Chain {
    /// A cell of the table.
    fn parse(cell: &str) -> Self {
        let known = |t: &str| (t != "?").then(|| t.to_owned());
        let number = |t: &str| known(t).map(|n| n.parse().expect("a number"));
        let call = |t: &str| match t.split('|').collect::<Vec<_>>()[..] {
            [function, file, line, column] => Call {
                function: known(function),
                file: known(file),
                line: number(line),
                column: number(column),
            },
            _ => panic!("{t}"),
        };
        let calls = cell.split(" <- ").filter(|t| !matches!(*t, "-" | ""));
        Chain(calls.map(call).collect())
    }

    /// The `inlines` of an answer.
    fn of(answer: &Value) -> Self {
        let text = |v: &Value| v.as_str().map(str::to_owned);
        let call = |v: &Value| Call {
            function: text(&v["function"]),
            file: text(&v["file"]),
            line: v["line"].as_u64(),
            column: v["column"].as_u64(),
        };
        Chain(
            answer["inlines"]
                .as_array()
                .expect("inlines")
                .iter()
                .map(call)
                .collect(),
        )
    }

    fn same_but_columns(&self, other: &Chain) -> bool {
        let pairs = || self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs().all(|(a, b)| a.same_but_column(b))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<String> = self.0.iter().map(Call::to_string).collect();
        f.write_str(&calls.join(" <- "))
    }
}

/// A row of the table.
struct Row {
    place: String,
    kind: String,
    /// FUNC symbols that cover the place.
    symbols: Vec<String>,
    llvm: Chain,
    /// Whether its function is from DWARF; else there is one call, named by the symbol table if at all.
    in_dwarf: bool,
    others: [Chain; 2],
}

impl Row {
    fn parse(line: &str) -> Self {
        let [place, kind, symbols, llvm, gnu, elfutils] = line.split('\t').collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        let symbols = symbols.split(',').filter(|s| !s.is_empty());
        Row {
            place: place.to_owned(),
            kind: kind.to_owned(),
            symbols: symbols.map(str::to_owned).collect(),
            llvm: Chain::parse(llvm.trim_start_matches('~')),
            in_dwarf: !llvm.starts_with(['~', '?']),
            others: [gnu, elfutils].map(Chain::parse),
        }
    }

    fn second(&self, found: &Chain) -> bool {
        let mut others = self.others.iter();
        others.any(|o| !o.0.is_empty() && o.same_but_columns(found))
    }

    /// Whether another program prints `symbol` for its label.
    fn label_is(&self, symbol: &Value) -> bool {
        let mut chains = self.others.iter().chain([&self.llvm]);
        chains.any(
            |c| matches!(&c.0[..], [one] if one.function.as_deref() == symbol["name"].as_str()),
        )
    }
}

/// Whom an answer agrees with, or why not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    Llvm,
    /// With llvm-symbolizer, but for the column of a row without line.
    LlvmButColumn,
    /// With one of the others.
    Second,
    /// Neither DWARF nor a FUNC symbol has a function there, and the others print a label.
    Label,
    Fixup,
    Different,
}

fn judge(row: &Row, answer: &Value) -> Verdict {
    let found = Chain::of(answer);
    if !answer["fixup"].is_null() {
        Verdict::Fixup
    } else if !row.in_dwarf {
        judge_without_function(row, answer, &found)
    } else if found == row.llvm {
        Verdict::Llvm
    } else if found.same_but_columns(&row.llvm) {
        let mut pairs = found.0.iter().zip(&row.llvm.0);
        match pairs.all(|(f, l)| f.column == l.column || f.line.is_none()) {
            true => Verdict::LlvmButColumn,
            false => Verdict::Different,
        }
    } else if row.second(&found) {
        Verdict::Second
    } else {
        Verdict::Different
    }
}

/// DWARF has at most a line here, which `found` must have. The function is that of the symbol that covers the place;
/// where none does, that of another program, or the one that the place is attributed to.
fn judge_without_function(row: &Row, answer: &Value, found: &Chain) -> Verdict {
    let [wanted] = &row.llvm.0[..] else {
        panic!("{}: inlined into nothing", row.place);
    };
    let call = match &found.0[..] {
        [] if wanted.line.is_none() => return Verdict::Llvm,
        [call] if wanted.line.is_some() => call,
        _ => return Verdict::Different,
    };
    let place = |c: &Call| (c.file.clone(), c.line, c.column);
    let function = call.function.as_deref();
    if place(call) != place(wanted) {
        Verdict::Different
    } else if call.function == wanted.function {
        Verdict::Llvm
    } else if function.is_some_and(|f| row.symbols.iter().any(|s| s == f)) || row.second(found) {
        Verdict::Second
    } else if row.symbols.is_empty() && function == answer["function"].as_str() {
        // An array of thunks has a label of its own, and so has each thunk.
        let thunk =
            answer["basis"] == "trampoline" && answer["function"] == answer["symbol"]["name"];
        match function.is_none() || thunk || row.label_is(&answer["symbol"]) {
            true => Verdict::Label,
            false => Verdict::Different,
        }
    } else {
        Verdict::Different
    }
}

/// What the program says of each address.
fn ask(option: &str, image: &str, addresses: &[u64]) -> Vec<Value> {
    let places: String = addresses.iter().map(|a| format!("{a:#x}\n")).collect();
    let output = fixtrace(
        &["lookup", "--json", "--no-index", option, image],
        places.as_bytes(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answers = json(&output);
    assert_eq!(answers.len(), addresses.len(), "{}", stderr(&output));
    answers
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_else(|_| panic!("{text}"))
}

/// What the program says of each row.
fn answers(version: &str, rows: &[Row]) -> Vec<Value> {
    let mut by_module: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let module = row.place.split_once(':').map(|(module, _)| module);
        by_module.entry(module).or_default().push(i);
    }
    let mut answers = vec![Value::Null; rows.len()];
    for (module, indices) in by_module {
        let found = match module {
            None => {
                let addresses: Vec<u64> = indices.iter().map(|i| hex(&rows[*i].place)).collect();
                let path = vmlinux_path(version);
                ask("--vmlinux", &path.to_string_lossy(), &addresses)
            }
            Some(module) => {
                let dir = format!("debug/lib/modules/{}", release(version));
                let path = find_module(&file(version, &dir), module).expect("the module");
                let addresses = in_module(
                    &path,
                    indices.iter().map(|i| &rows[*i].place[module.len() + 1..]),
                );
                ask("--module", &format!("{}@0", path.display()), &addresses)
            }
        };
        for (i, answer) in indices.into_iter().zip(found) {
            answers[i] = answer;
        }
    }
    answers
}

/// Link addresses of `SECTION+OFFSET`s.
fn in_module<'p>(path: &Path, places: impl Iterator<Item = &'p str>) -> Vec<u64> {
    let storage = Storage::new();
    let image = Image::open(path, &storage).expect("module");
    places.map(|p| place(&image, p).0).collect()
}

fn holds(version: &str) {
    let path = kernels().join("truth-lines").join(format!("{version}.tsv"));
    let table = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: run testdata/lines.py", path.display()));
    let rows: Vec<Row> = table.lines().skip(2).map(Row::parse).collect();
    assert_eq!(rows.len(), 11_500, "{version}");
    let mut counts: BTreeMap<(&str, Verdict), usize> = BTreeMap::new();
    let mut different = Vec::new();
    for (row, answer) in rows.iter().zip(answers(version, &rows)) {
        let verdict = judge(row, &answer);
        let kind = if row.place.contains(':') {
            "module"
        } else {
            &row.kind
        };
        *counts.entry((kind, verdict)).or_default() += 1;
        if verdict == Verdict::Different {
            different.push(format!(
                "{} in {}\n    fixtrace {}\n    llvm     {}\n    gnu      {}\n    elfutils {}",
                row.place,
                row.symbols.join(", "),
                Chain::of(&answer),
                row.llvm,
                row.others[0],
                row.others[1]
            ));
        }
    }
    println!("{version}: {counts:?}");
    assert!(
        different.is_empty(),
        "{version}: {} places differ:\n{}",
        different.len(),
        different.join("\n")
    );
    let few = |kinds: [&str; 2], verdict, limit: usize| {
        let found: usize = kinds
            .iter()
            .filter_map(|k| counts.get(&(*k, verdict)))
            .sum();
        assert!(
            found <= limit,
            "{version}: {verdict:?} {found} times: {counts:?}"
        );
    };
    let (code, rest) = (["function", "module"], ["label", "gap"]);
    few(code, Verdict::Label, 0);
    few(code, Verdict::Fixup, 0);
    // One in a thousand; rows with line 0 are in Rust alone.
    few(code, Verdict::Second, 10);
    few(
        code,
        Verdict::LlvmButColumn,
        if version == "7.2" { 10 } else { 0 },
    );
    few(rest, Verdict::Label, 120);
    // 5.10 alone has much anonymous fixup text.
    few(
        rest,
        Verdict::Fixup,
        if version == "5.10" { 70 } else { 10 },
    );
}

macro_rules! kernels {
    ($($name:ident: $version:literal;)*) => {$(
        #[test]
        #[ignore = "needs the real kernels and the tables of testdata/lines.py"]
        fn $name() {
            holds($version);
        }
    )*};
}

kernels! {
    lines_of_5_10_are_those_of_other_programs: "5.10";
    lines_of_6_1_are_those_of_other_programs: "6.1";
    lines_of_6_12_are_those_of_other_programs: "6.12";
    lines_of_7_2_are_those_of_other_programs: "7.2";
}
