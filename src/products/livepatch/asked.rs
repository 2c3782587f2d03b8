//! A function as a livepatch names it: `NAME[@OBJECT][,SYMPOS]`.
//!
//! Sources: include/linux/livepatch.h `struct klp_func`: `old_name`, `old_sympos`; the folders of livepatches in sysfs
//! are called `NAME,SYMPOS`, too (Documentation/ABI/testing/sysfs-kernel-livepatch).

use std::fmt;
use std::str::FromStr;

/// A function of the kernel proper or of a module, by name and position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Its symbol.
    pub name: String,
    /// The module; `None` for the kernel proper.
    pub object: Option<String>,
    /// Which of the symbols called like that, from 1; 0 where there must be one only.
    pub sympos: u64,
}

/// Why a text names no function.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WrongForm {
    /// There is no name.
    NoName,
    /// There is no object behind the `@`.
    NoObject,
    /// What stands behind the comma is no number.
    NoPosition(String),
}

impl FromStr for Asked {
    type Err = WrongForm;

    fn from_str(text: &str) -> Result<Self, WrongForm> {
        let (place, sympos) = match text.trim().split_once(',') {
            Some((place, number)) => {
                let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                let parsed = number.parse().ok().filter(|_| digits);
                let wrong = || WrongForm::NoPosition(number.to_owned());
                (place, parsed.ok_or_else(wrong)?)
            }
            None => (text.trim(), 0),
        };
        let (name, object) = match place.split_once('@') {
            Some((name, object)) => (name, Some(object)),
            None => (place, None),
        };
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !word(name) {
            return Err(WrongForm::NoName);
        }
        if !object.is_none_or(word) {
            return Err(WrongForm::NoObject);
        }
        Ok(Asked {
            name: name.to_owned(),
            object: object.filter(|o| *o != "vmlinux").map(str::to_owned),
            sympos,
        })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(object) = &self.object {
            write!(f, "@{object}")?;
        }
        match self.sympos {
            0 => Ok(()),
            n => write!(f, ",{n}"),
        }
    }
}

impl fmt::Display for WrongForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongForm::NoName => f.write_str("no function is named"),
            WrongForm::NoObject => f.write_str("no module is named behind the @"),
            WrongForm::NoPosition(text) => {
                write!(f, "{text:?} is no position among symbols of one name")
            }
        }
    }
}

impl std::error::Error for WrongForm {}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, object: Option<&str>, sympos: u64) -> Result<Asked, WrongForm> {
        Ok(Asked {
            name: name.to_owned(),
            object: object.map(str::to_owned),
            sympos,
        })
    }

    #[test]
    fn every_part_but_the_name_may_be_left_out() {
        for (text, expected) in [
            ("pipe_read", asked("pipe_read", None, 0)),
            ("pipe_read@vmlinux", asked("pipe_read", None, 0)),
            ("k_twin,2", asked("k_twin", None, 2)),
            ("k_twin@lab", asked("k_twin", Some("lab"), 0)),
            (" k_twin@lab,2\n", asked("k_twin", Some("lab"), 2)),
            (
                "f.isra.0@kvm_intel,0",
                asked("f.isra.0", Some("kvm_intel"), 0),
            ),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["pipe_read", "k_twin@lab,2", "f,1", "f@m"] {
            let asked: Asked = text.parse().unwrap();
            assert_eq!(asked.to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused_with_the_reason() {
        let position = |text: &str| WrongForm::NoPosition(text.to_owned());
        for (text, why) in [
            ("", WrongForm::NoName),
            ("@lab", WrongForm::NoName),
            (",1", WrongForm::NoName),
            ("a b", WrongForm::NoName),
            ("f@", WrongForm::NoObject),
            ("f@,1", WrongForm::NoObject),
            ("f,", position("")),
            ("f,x", position("x")),
            ("f,-1", position("-1")),
            ("f,+1", position("+1")),
            ("f,1,2", position("1,2")),
            ("f,18446744073709551616", position("18446744073709551616")),
        ] {
            assert_eq!(text.parse::<Asked>(), Err(why), "{text}");
        }
    }
}
