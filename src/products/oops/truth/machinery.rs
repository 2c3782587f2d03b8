//! Functions through which the kernel reports, checks, waits and is entered, by the kinds of reports in which they are
//! never to blame. What they print is not about them.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::products::oops::read::kind::Kind;

mod row;
mod table;

pub use row::{Kinds, Row};
pub use table::TABLE;

/// Rows by exact names, and the beginnings of names.
#[derive(Default)]
struct Names {
    exact: HashMap<&'static str, Vec<usize>>,
    begins: Vec<(&'static str, usize)>,
}

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut all = Names::default();
        for (row, name) in TABLE
            .iter()
            .enumerate()
            .flat_map(|(i, r)| r.names.iter().map(move |n| (i, n)))
        {
            match name.strip_suffix('*') {
                Some(begin) => all.begins.push((begin, row)),
                None => all.exact.entry(name).or_default().push(row),
            }
        }
        all
    })
}

/// Why the function `name` is never to blame in a report of `kind`; `None` where it may be.
pub fn role(kind: Kind, name: &str) -> Option<&'static str> {
    let all = names();
    let exact = all.exact.get(name).into_iter().flatten().copied();
    let begins = all
        .begins
        .iter()
        .filter(|(b, _)| name.starts_with(b))
        .map(|(_, row)| *row);
    let mut rows = exact.chain(begins).filter_map(|row| TABLE.get(row));
    rows.find(|row| row.kinds.has(kind)).map(|row| row.why)
}

/// Whether the function `name` is machinery of reports of `kind`.
pub(super) fn is_machinery(kind: Kind, name: &str) -> bool {
    role(kind, name).is_some()
}

/// Functions that only pass a system call on to what it is of.
const DISPATCH: &[&str] = &[
    "sys_",
    "ksys_",
    "vfs_",
    "do_vfs_",
    "x64_sys_call",
    "ia32_sys_call",
    "do_sys_",
    "do_syscall_",
    "__sys_",
    "___sys_",
    "sock_",
    "__sock_",
    "new_sync_",
    "do_iter_",
    "do_readv_writev",
    "do_writev",
    "do_readv",
    "full_proxy_",
    "do_filp_open",
    "do_sys_openat2",
    "path_openat",
    "do_open",
    "do_dentry_open",
    "chrdev_open",
    "SYSC_",
    "compat_",
];

/// Whether the function `name` only passes on what the kernel was asked for.
pub(super) fn is_dispatch(name: &str) -> bool {
    DISPATCH.iter().any(|d| name.starts_with(d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_is_said_twice_and_none_by_the_beginning_of_another() {
        for kind in Kind::ALL {
            let mut seen = HashSet::new();
            let of_kind = TABLE.iter().filter(|r| r.kinds.has(*kind));
            let all: Vec<&str> = of_kind.flat_map(|r| r.names).copied().collect();
            for name in &all {
                assert!(seen.insert(*name), "{name} twice for {}", kind.name());
                let whole = name.trim_end_matches('*');
                let others = all.iter().filter(|o| *o != name);
                let covered = others
                    .filter_map(|o| o.strip_suffix('*'))
                    .find(|b| whole.starts_with(b));
                assert_eq!(covered, None, "{name} for {}", kind.name());
            }
        }
    }

    #[test]
    fn names_are_folded_and_reasons_are_short() {
        for row in TABLE {
            assert!(!row.why.is_empty() && row.why.len() < 80, "{}", row.why);
            for name in row.names {
                assert_eq!(super::super::culprit::plain(name), **name);
            }
        }
    }
}
