//! What a kernel tells of itself, held to a plain reader of lines.
#![no_main]

use fixtrace::low::world::memory::VmcoreInfo;
use fixtrace_fuzz::fuzz;

fn one(input: &[u8]) {
    let info = VmcoreInfo::new(input);
    let end = input.iter().position(|b| *b == 0).unwrap_or(input.len());
    let text = String::from_utf8_lossy(&input[..end]).into_owned();
    assert_eq!(info.text(), text);
    let plain: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once('=')).collect();
    for (key, _) in plain.iter().take(64) {
        let first = plain.iter().find(|(k, _)| k == key).map(|(_, v)| *v);
        assert_eq!(info.value(key), first);
        if let Some((class, name)) = key.strip_suffix(')').and_then(|k| k.split_once('(')) {
            let number = first.and_then(|v| v.parse::<u64>().ok());
            match class {
                "OFFSET" => assert_eq!(info.offset(name), number),
                "SIZE" => assert_eq!(info.size(name), number),
                "LENGTH" => assert_eq!(info.length(name), number),
                _ => {}
            }
        }
    }
    assert_eq!(info.build_id(), info.value("BUILD-ID"));
    let _ = info.page_table();
}

fuzz!(one);
